// Databases and roles with which the store cannot work: the true reason, at the first call.
#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

class PostgresRefusals : public ::testing::Test {
 protected:
  PostgresRefusals() {
    Outsider admin;
    admin.run("drop role if exists poor");
    admin.run("create role poor login password 'poor'");
  }
  ~PostgresRefusals() override {
    Outsider admin(database_.admin());
    admin.run("set default_transaction_read_only = off");
    admin.run("drop owned by poor");
    Outsider().run("drop role poor");
  }

  std::string poor() const { return with_user(database_.url(), "poor", "poor"); }
  std::string name() const { return database_.url().substr(database_.url().rfind('/') + 1); }

  static std::string told(const Options& options, StoreStatus expected = StoreStatus::unavailable) {
    static std::uint64_t number = 0;
    const SaveReply reply = save(*open(options), write("k", ++number));
    EXPECT_EQ(reply.status, expected) << reply.message;
    return reply.message;
  }
  static void expect_in(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      EXPECT_NE(text.find(part), std::string::npos) << "no «" << part << "» in: " << text;
    }
  }
  void make_schema() {
    EXPECT_EQ(told({.url = database_.url(), .apply_migrations = true}, StoreStatus::ok), "");
  }
  void grant_all() {
    Outsider admin(database_.admin());
    admin.run("alter role poor bypassrls");
    admin.run("grant usage on schema tiercache to poor");
    admin.run("grant all on all tables in schema tiercache to poor");
    admin.run("grant execute on all functions in schema tiercache to poor");
  }

  ScratchDatabase database_;
};

TEST_F(PostgresRefusals, role_that_may_not_create_the_schema_is_told_so) {
  expect_in(told({.url = poor(), .apply_migrations = true}),
            {"role poor may not create schema tiercache in database " + name(),
             "grant create on database " + name() + " to poor", "schema/supabase/migrations"});
}

TEST_F(PostgresRefusals, role_that_may_not_migrate_is_told_whose_the_schema_is) {
  make_schema();
  grant_all();
  Outsider admin(database_.admin());
  const std::string owner =
      admin.ask("select nspowner::regrole from pg_namespace where nspname = 'tiercache'");
  admin.run("update tiercache.schema_version set version = 2");
  expect_in(told({.url = poor(), .apply_migrations = true}),
            {"role poor may not bring schema tiercache from version 2 to", "role " + owner});
}

TEST_F(PostgresRefusals, schema_of_somebody_else_is_not_taken_for_a_missing_one) {
  Outsider(database_.admin()).run("create schema tiercache");
  for (const bool migrate : {false, true}) {
    expect_in(told({.url = database_.url(), .apply_migrations = migrate}),
              {"another's", "schema_version", "rename or drop"});
  }
}

TEST_F(PostgresRefusals, what_a_role_lacks_is_named) {
  make_schema();
  expect_in(told({.url = poor()}), {"schema tiercache", "42501"});
  grant_all();
  EXPECT_EQ(told({.url = poor()}, StoreStatus::ok), "");
  Outsider admin(database_.admin());
  admin.run("revoke insert on tiercache.cache_changes from poor");
  expect_in(told({.url = poor()}), {"cache_changes", "42501"});
  grant_all();
  admin.run("revoke execute on function tiercache.begin_write from poor");
  expect_in(told({.url = poor()}), {"begin_write", "42501"});
}

TEST_F(PostgresRefusals, part_of_the_schema_that_is_gone_is_named) {
  make_schema();
  Outsider(database_.admin()).run("drop table tiercache.cache_changes");
  expect_in(told({.url = database_.url()}), {"not whole", "cache_changes"});
}

TEST_F(PostgresRefusals, read_only_by_a_setting_is_told_as_that) {
  make_schema();
  Outsider().run("alter database " + name() + " set default_transaction_read_only = on");
  expect_in(told({.url = database_.url()}), {"read-only", "default_transaction_read_only"});
}

TEST_F(PostgresRefusals, database_that_is_not_utf8_is_refused_at_the_first_call) {
  for (const auto& [encoding, name] : std::vector<std::pair<std::string, std::string>>{
           {"SQL_ASCII", "ascii_database"}, {"LATIN1", "latin_database"}}) {
    Outsider admin;
    admin.run("create database " + name + " encoding '" + encoding +
              "' lc_collate 'C' lc_ctype 'C' template template0");
    const std::string url = with_database(admin_url(), name);
    for (const bool migrate : {true, false}) {
      const auto store = open({.url = url, .apply_migrations = migrate});
      const LoadReply reply = load(*store, "\xd0\xba");
      EXPECT_EQ(reply.status, StoreStatus::unavailable);
      expect_in(reply.message,
                {"database " + name + " has encoding " + encoding + ", UTF8 is needed"});
      // What it says to do works as it stands.
      const auto advice = reply.message.find("CREATE DATABASE cache");
      ASSERT_NE(advice, std::string::npos) << reply.message;
      admin.run(reply.message.substr(advice));
      const auto good =
          open({.url = with_database(admin_url(), "cache"), .apply_migrations = true});
      EXPECT_EQ(load(*good, "\xd0\xba").status, StoreStatus::ok);
      admin.run("drop database cache with (force)");
    }
    admin.run("drop database " + name + " with (force)");
  }
}

}  // namespace
}  // namespace tiercache::postgres
