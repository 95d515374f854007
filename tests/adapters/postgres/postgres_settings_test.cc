// Settings of roles and databases that would change what the store does.
#include <thread>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

class PostgresSettings : public ::testing::Test {
 protected:
  PostgresSettings()
      : maker_(open({.url = database_.url(), .apply_migrations = true, .hint_check_every = {}})) {
    EXPECT_EQ(save(*maker_, write("made first", 1)).status, StoreStatus::ok);
  }

  void set(const std::string& setting) {
    Outsider().run("alter database " + database_.url().substr(database_.url().rfind('/') + 1) +
                   " set " + setting);
  }
  std::shared_ptr<Store> store() { return open({.url = database_.url(), .hint_check_every = {}}); }

  ScratchDatabase database_;
  std::shared_ptr<Store> maker_;
};

TEST_F(PostgresSettings, writes_without_guards_or_clocks_are_saved_where_null_is_a_word_I1) {
  set("array_nulls = off");
  const SaveReply reply = save(*store(), {write("k", 1), tombstone("gone", 1), write("NULL", 1)});
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  for (const SaveResult& result : reply.results) {
    EXPECT_EQ(result.outcome, SaveOutcome::saved) << result.why;
  }
  EXPECT_EQ(load(*maker_, "k").entries.at(0)->clocks.last_fetch, std::nullopt);
  EXPECT_EQ(load(*maker_, "gone").entries.at(0)->kind, EntryKind::tombstone);
}

TEST_F(PostgresSettings, time_that_stands_for_none_is_refused) {
  StoreWrite odd = write("k", 1);
  odd.entry.clocks.last_fetch = WallTime::min();
  const SaveReply reply = save(*store(), odd);
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_EQ(reply.results.at(0).outcome, SaveOutcome::refused);
}

// A trigger that runs at the commit sees with which setting it is done.
TEST_F(PostgresSettings, confirmed_write_is_on_the_disk_where_commits_are_asynchronous_I1) {
  Outsider admin(database_.admin());
  admin.run("create table public.committed (how text)");
  admin.run("grant all on public.committed to public");
  admin.run(
      "create function public.note() returns trigger language plpgsql as $$ begin "
      "insert into public.committed values (current_setting('synchronous_commit')); "
      "return null; end $$");
  admin.run(
      "create constraint trigger noted after insert or update on tiercache.cache_storage "
      "deferrable initially deferred for each row execute function public.note()");
  const std::string how = "select string_agg(distinct how, ',') from public.committed";
  set("synchronous_commit = off");
  const auto asynchronous = store();
  EXPECT_EQ(save(*asynchronous, write("k", 1)).status, StoreStatus::ok);
  EXPECT_EQ(asynchronous->erase_matching("p", {"d", "k", version(2)}, patience()).erased, 1u);
  EXPECT_EQ(admin.ask(how), "on");
  admin.run("truncate public.committed");
  set("synchronous_commit = local");
  EXPECT_EQ(save(*store(), write("k", 3)).status, StoreStatus::ok);
  EXPECT_EQ(admin.ask(how), "local") << "what waits for the disk is left as it is";
}

TEST_F(PostgresSettings,
       writers_of_one_key_do_not_fail_each_other_where_serializable_is_the_default) {
  set("default_transaction_isolation = serializable");
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      const auto mine = store();
      for (unsigned round = 1; round <= 20; ++round) {
        const SaveReply reply = save(*mine, write("k", round * 3 + t));
        EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
        EXPECT_EQ(mine->changes("p", "", 10, patience()).status, StoreStatus::ok);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(loaded_version(*maker_, "k"), version(62));
}

}  // namespace
}  // namespace tiercache::postgres
