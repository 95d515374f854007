// The migration: closed to everyone it is not for, as it is applied by hand, by a tool, by the
// library.
#include <algorithm>
#include <thread>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

using ::testing::TestWithParam;

const std::vector<std::string>& tables() {
  static const std::vector<std::string> all = {"schema_version", "projects", "cache_storage",
                                               "cache_changes"};
  return all;
}

std::string sqlstate_of(Outsider& outsider, const std::string& sql) {
  try {
    outsider.run(sql);
  } catch (const pqxx::insufficient_privilege&) {
    return "42501";
  } catch (const pqxx::sql_error& error) {
    return error.sqlstate();
  }
  return "";
}

// A database with the schema in it, applied by its owner.
class Schema : public ::testing::Test {
 protected:
  Schema() : store_(open({.url = database_.url(), .apply_migrations = true})) {
    EXPECT_EQ(save(*store_, write("k", 1)).status, StoreStatus::ok);
  }

  // What each statement that touches the store answers a role.
  void expect_closed_to(const std::string& role) {
    SCOPED_TRACE(role);
    Outsider admin(database_.admin());
    admin.run("set role " + role);
    for (const std::string& table : tables()) {
      const std::string name = "tiercache." + table;
      EXPECT_EQ(sqlstate_of(admin, "select * from " + name), "42501") << name;
      EXPECT_EQ(sqlstate_of(admin, "delete from " + name), "42501") << name;
      EXPECT_EQ(sqlstate_of(admin, "truncate " + name + " cascade"), "42501") << name;
    }
    EXPECT_EQ(sqlstate_of(admin, "insert into tiercache.projects (project_name) values ('x')"),
              "42501");
    EXPECT_EQ(sqlstate_of(admin, "update tiercache.cache_storage set version = 0"), "42501");
    EXPECT_EQ(sqlstate_of(admin, "select * from tiercache.erase_matching('p', 0, 'd', '%', 9, 9)"),
              "42501");
    EXPECT_EQ(sqlstate_of(admin, "create table tiercache.mine (a int)"), "42501");
  }

  // Even with the way into the schema opened, tables and functions are closed by themselves.
  void expect_closed_inside_to(const std::string& role) {
    Outsider admin(database_.admin());
    admin.run("grant usage on schema tiercache to " + role);
    expect_closed_to(role);
    EXPECT_EQ(
        admin.ask("select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
                  "where n.nspname = 'tiercache' and has_function_privilege('" +
                  role + "', p.oid, 'execute')"),
        "0");
  }

  ScratchDatabase database_;
  std::shared_ptr<Store> store_;
};

class OrdinaryRole : public Schema {
 protected:
  OrdinaryRole() {
    Outsider admin;
    admin.run("drop role if exists bystander");
    admin.run("create role bystander login password 'ordinary'");
  }
  ~OrdinaryRole() override {
    Outsider admin(database_.admin());
    admin.run("drop owned by bystander");
    admin.run("drop role bystander");
  }
  std::string url() const { return with_user(database_.url(), "bystander", "ordinary"); }
};

TEST_F(OrdinaryRole, reads_and_writes_nothing_I11) {
  expect_closed_to("bystander");
  expect_closed_inside_to("bystander");
}

TEST_F(OrdinaryRole, is_told_what_it_lacks) {
  const auto store = open(url());
  const LoadReply reply = load(*store, "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("42501"), std::string::npos) << reply.message;
  EXPECT_EQ(reply.message.find("ordinary"), std::string::npos) << reply.message;
}

TEST_F(OrdinaryRole, sees_no_row_by_grants_alone) {
  Outsider admin(database_.admin());
  admin.run("grant usage on schema tiercache to bystander");
  admin.run("grant all on all tables in schema tiercache to bystander");
  Outsider bystander(url());
  for (const std::string& table : tables()) {
    EXPECT_EQ(bystander.ask("select count(*) from tiercache." + table), "0") << table;
  }
  const LoadReply reply = load(*open(url()), "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("row level security"), std::string::npos) << reply.message;
}

TEST_F(OrdinaryRole, may_use_the_store_as_a_member_of_the_owner) {
  Outsider admin(database_.admin());
  const std::string owner =
      admin.ask("select nspowner::regrole from pg_namespace where nspname = 'tiercache'");
  admin.run("grant " + owner + " to bystander");
  const auto store = open(url());
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::ok);
  EXPECT_EQ(store->erase_matching("p", {"d", "*", version(3)}, patience()).erased, 1u);
  EXPECT_EQ(store->changes("p", "", 10, patience()).status, StoreStatus::ok);
}

TEST_F(OrdinaryRole, may_use_the_store_past_row_level_security_with_the_grants_of_the_guide) {
  Outsider admin(database_.admin());
  admin.run("alter role bystander bypassrls");
  admin.run("grant usage on schema tiercache to bystander");
  admin.run("grant select, insert, update, delete on all tables in schema tiercache to bystander");
  admin.run("grant execute on all functions in schema tiercache to bystander");
  const auto store = open(url());
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
  EXPECT_EQ(save(*store, write("new", 2)).status, StoreStatus::ok);
  EXPECT_EQ(store->erase_matching("q", {"d", "*", version(3)}, patience()).status, StoreStatus::ok);
  EXPECT_EQ(store->changes("p", "", 10, patience()).status, StoreStatus::ok);
}

TEST_F(Schema, is_owned_by_one_who_is_no_superuser) {
  Outsider owner(database_.url());
  EXPECT_EQ(owner.ask("select rolsuper from pg_roles where rolname = current_user"), "f");
  EXPECT_EQ(owner.ask("select nspowner::regrole = current_user::regrole from pg_namespace "
                      "where nspname = 'tiercache'"),
            "t");
}

TEST_F(Schema, has_row_level_security_everywhere_and_no_policy) {
  Outsider admin(database_.admin());
  EXPECT_EQ(admin.ask("select count(*) from pg_class c join pg_namespace n on n.oid = "
                      "c.relnamespace where n.nspname = 'tiercache' and relkind = 'r' and "
                      "not relrowsecurity"),
            "0");
  EXPECT_EQ(admin.ask("select count(*) from pg_policies where schemaname = 'tiercache'"), "0");
}

TEST_F(Schema, functions_run_with_the_callers_rights_and_look_nothing_up_by_path) {
  Outsider admin(database_.admin());
  const std::string of_functions =
      " from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = "
      "'tiercache'";
  EXPECT_EQ(admin.ask("select count(*)" + of_functions + " and prosecdef"), "0");
  EXPECT_EQ(admin.ask("select count(*)" + of_functions +
                      " and prolang = (select oid from "
                      "pg_language where lanname = 'plpgsql') and not coalesce("
                      "'search_path=\"\"' = any (proconfig), false)"),
            "0");
}

TEST_F(Schema, has_a_comment_on_every_table_and_column) {
  EXPECT_EQ(
      Outsider(database_.admin())
          .ask("select string_agg(c.relname || '.' || coalesce(a.attname, ''), ', ') "
               "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
               "cross join lateral (select 0 as attnum, null::name as attname union all "
               "select attnum, attname from pg_attribute where attrelid = c.oid and attnum > 0 "
               "and not attisdropped) a where n.nspname = 'tiercache' and c.relkind = 'r' "
               "and coalesce(col_description(c.oid, a.attnum), "
               "case a.attnum when 0 then obj_description(c.oid) end) is null"),
      "");
}

TEST_F(Schema, closed_to_the_roles_of_supabase) {
  Outsider admin(database_.admin());
  if (admin.ask("select count(*) from pg_roles where rolname = 'anon'") == "0") {
    GTEST_SKIP() << "a plain server: it has none of these roles, and the migration went through";
  }
  for (const char* role : {"anon", "authenticated"}) {
    expect_closed_to(role);
    expect_closed_inside_to(role);
  }
  admin.run("set role service_role");
  EXPECT_EQ(admin.ask("select count(*) from tiercache.cache_storage"), "1");
  EXPECT_EQ(admin.ask("select erased from tiercache.erase_matching('p', 0, 'd', '%', 9, 9)"), "0");
  EXPECT_EQ(admin.ask("select id is not null from tiercache.project_id('of the role') as id"), "t");
}

TEST(SchemaIsMissing, store_says_what_to_do_and_serves_once_it_is_there) {
  ScratchDatabase database;
  const auto store = open(database.url());
  const LoadReply missing = load(*store, "k");
  EXPECT_EQ(missing.status, StoreStatus::unavailable);
  EXPECT_NE(missing.message.find("schema/supabase/migrations"), std::string::npos)
      << missing.message;
  EXPECT_NE(missing.message.find("apply_migrations"), std::string::npos) << missing.message;
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::unavailable);
  EXPECT_EQ(load(*open({.url = database.url(), .apply_migrations = true}), "k").status,
            StoreStatus::ok);
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
}

TEST(SchemaIsMissing, store_notices_when_it_is_dropped_and_serves_once_it_is_back) {
  ScratchDatabase database;
  // With more connections the next call may be made on a new one, which makes the schema at once.
  const auto store = open({.url = database.url(), .connections = 1, .apply_migrations = true});
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  Outsider(database.admin()).run("drop schema tiercache cascade");
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::unavailable);
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::ok);
  EXPECT_EQ(loaded_version(*store, "k"), version(2));
}

TEST(SchemaIsMissing, stores_that_start_together_make_it_once) {
  ScratchDatabase database;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&database, i] {
      const auto store = open({.url = database.url(), .apply_migrations = true});
      const SaveReply reply = save(*store, write("k" + std::to_string(i), 1));
      EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Outsider(database.admin()).ask("select count(*) from tiercache.schema_version"), "1");
}

TEST_F(Schema, of_a_program_to_come_is_served_while_it_is_compatible) {
  Outsider admin(database_.admin());
  admin.run("update tiercache.schema_version set version = 99");
  EXPECT_EQ(loaded_version(*open(database_.url()), "k"), version(1));
  admin.run("update tiercache.schema_version set compatible_from = 99");
  const LoadReply reply = load(*open({.url = database_.url(), .apply_migrations = true}), "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("update the program"), std::string::npos) << reply.message;
}

}  // namespace
}  // namespace tiercache::postgres
