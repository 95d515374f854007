// The change feed beside transactions of others: open for long, prepared, committed late, rolled
// back.
#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "adapters/postgres/change_reader.h"
#include "adapters/postgres/machine.h"

namespace tiercache::postgres {
namespace {

// As the library saves, inside of a transaction that somebody else ends.
std::string saving(const std::string& key, int version = 5) {
  return "select * from tiercache.save_entries('p', 0, '{t}', '{d}', '{" + key + "}', '{f}', '{" +
         std::to_string(version) +
         "}', '{1}', '{NULL}', '{NULL}', '{x}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{1.0}', "
         "'{\"{}\"}', '{1}')";
}

class PostgresOpenTransactions : public PostgresChanges {
 protected:
  // Whoever writes to a project first makes its row, for which others wait.
  PostgresOpenTransactions() {
    save(*store_, write("makes the project", 1));
    new_keys();
  }
};

TEST_F(PostgresOpenTransactions, one_of_another_database_holds_nothing_up_I4_I10) {
  ScratchDatabase another;
  Outsider outsider(another.url());
  pqxx::work open(outsider.raw());
  open.exec("create table written (a int)");
  save(*store_, {write("a", 1), tombstone("b", 1)});
  EXPECT_EQ(new_keys(), (Keys{"a", "b"}));
  save(*store_, write("c", 1));
  EXPECT_EQ(new_keys(), Keys{"c"});
  open.commit();
  EXPECT_EQ(new_keys(), Keys{});
}

TEST_F(PostgresOpenTransactions,
       write_that_commits_late_is_told_then_and_holds_up_no_other_I4_I10) {
  save(*store_, write("first", 1));
  EXPECT_EQ(new_keys(), Keys{"first"});
  Outsider outsider(database_.url());
  pqxx::work late(outsider.raw());
  late.exec(saving("late"));
  for (const char* key : {"second", "third"}) {
    save(*store_, write(key, 1));
    EXPECT_EQ(new_keys(), Keys{key});
  }
  late.commit();
  EXPECT_EQ(new_keys(), Keys{"late"});
  EXPECT_EQ(new_keys(), Keys{});
}

TEST_F(PostgresOpenTransactions, write_inside_of_a_savepoint_is_told_once_all_is_committed_I10) {
  Outsider outsider(database_.url());
  pqxx::work late(outsider.raw());
  late.exec("savepoint one");
  late.exec(saving("kept"));
  late.exec("release savepoint one");
  late.exec("savepoint two");
  late.exec(saving("taken back"));
  save(*store_, write("other", 1));
  EXPECT_EQ(new_keys(), Keys{"other"});
  late.exec("rollback to savepoint two");
  EXPECT_EQ(new_keys(), Keys{});
  late.commit();
  EXPECT_EQ(new_keys(), Keys{"kept"});
}

TEST_F(PostgresOpenTransactions, one_that_is_rolled_back_is_not_told) {
  Outsider outsider(database_.url());
  {
    pqxx::work late(outsider.raw());
    late.exec(saving("late"));
    save(*store_, write("second", 1));
    EXPECT_EQ(new_keys(), Keys{"second"});
  }
  save(*store_, write("third", 1));
  EXPECT_EQ(new_keys(), Keys{"third"});
}

TEST_F(PostgresOpenTransactions,
       prepared_one_is_told_once_it_is_committed_and_holds_up_no_other_I10) {
  Outsider outsider(database_.url());
  if (outsider.ask("show max_prepared_transactions") == "0") GTEST_SKIP() << "none can be prepared";
  outsider.run("begin");
  outsider.run(saving("late"));
  outsider.run("prepare transaction 'left open'");
  save(*store_, write("second", 1));
  EXPECT_EQ(new_keys(), Keys{"second"});
  save(*store_, write("third", 1));
  EXPECT_EQ(new_keys(), Keys{"third"});
  outsider.run("commit prepared 'left open'");
  EXPECT_EQ(new_keys(), Keys{"late"});
}

TEST_F(PostgresOpenTransactions, other_machine_drops_what_was_erased_within_a_poll_I4) {
  Machine one(open(database_.url()));
  Machine two(open({.url = database_.url(), .hint_check_every = {}}), [](CacheOptions& options) {
    options.store_calls.poll_every = std::chrono::milliseconds(100);
  });
  one.data().put("k", "1");
  ASSERT_TRUE(one.cache().flush());
  ASSERT_TRUE(two.comes("k", "1"));
  Outsider outsider(database_.url());
  pqxx::work open_for_ever(outsider.raw());
  open_for_ever.exec("create table written (a int)");
  one.data().erase("k");
  ASSERT_TRUE(one.cache().flush());
  EXPECT_TRUE(two.comes("k", ""));
  EXPECT_TRUE(two.cache().health().store_feed.working);
}

TEST_F(PostgresOpenTransactions,
       purge_behind_one_is_no_gap_while_it_is_open_and_one_when_it_has_ended) {
  Outsider owner(database_.url());
  Outsider outsider(database_.url());
  pqxx::work old(outsider.raw());
  old.exec(saving("old"));
  save(*store_, write("a", 1));
  EXPECT_EQ(new_keys(), Keys{"a"});
  EXPECT_EQ(owner.ask("select tiercache.purge_changes(interval '0', 100)"), "2");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(new_keys(), Keys{});
  old.commit();
  // What it wrote may have been purged between its end and this look.
  const ChangesReply ended = read(cursor_);
  EXPECT_TRUE(ended.gap);
  cursor_ = ended.next;
  EXPECT_EQ(new_keys(), Keys{});
}

// Three transactions, whose rows become visible in another order than that of their numbers,
// between pages that end in the middle of them.
TEST_F(PostgresOpenTransactions, pages_of_any_size_tell_what_commits_between_them_once_I10) {
  for (const std::size_t limit : {1, 2, 3}) {
    SCOPED_TRACE(limit);
    const std::string prefix = std::to_string(limit) + "-";
    Outsider first(database_.url()), second(database_.url()), third(database_.url());
    pqxx::work early(first.raw()), middle(second.raw()), late(third.raw());
    const auto fill = [&](pqxx::work& one, const std::string& name) {
      for (int i = 0; i < 4; ++i) one.exec(saving(prefix + name + std::to_string(i)));
    };
    fill(early, "early");
    fill(middle, "middle");
    fill(late, "late");
    std::map<std::string, int> told;
    bool more = false;
    const auto page = [&] {
      const ChangesReply reply = read(cursor_, limit);
      EXPECT_FALSE(reply.gap);
      for (const StoreChange& change : reply.changes) ++told[change.id.key];
      cursor_ = reply.next;
      more = reply.more;
    };
    late.commit();
    page();
    EXPECT_TRUE(more);
    early.commit();
    page();
    middle.commit();
    do {
      page();
    } while (more);
    EXPECT_EQ(told.size(), 12u);
    for (const auto& [key, times] : told) EXPECT_EQ(times, 1) << key;
  }
}

// Writers that commit late, roll back and use savepoints, and a reader with pages of one to three:
// every row that was committed is told, and none that was not.
TEST_F(PostgresOpenTransactions, reader_accounts_for_every_write_of_many_writers_I4_I10) {
  constexpr unsigned kWriters = 4;
  constexpr int kTransactions = 60;
  std::mutex mutex;
  std::set<std::string> committed;  // guarded by `mutex`
  std::atomic<unsigned> at_work{kWriters};
  std::vector<std::thread> writers;
  for (unsigned w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      std::mt19937 random(w);
      Outsider outsider(database_.url());
      for (int t = 0; t < kTransactions; ++t) {
        std::set<std::string> keys;
        pqxx::work work(outsider.raw());
        const unsigned rows = 1 + random() % 5;
        for (unsigned row = 0; row < rows; ++row) {
          const std::string key =
              std::to_string(w) + "-" + std::to_string(t) + "-" + std::to_string(row);
          const bool taken_back = random() % 5 == 0;
          work.exec("savepoint s");
          work.exec(saving(key));
          work.exec(taken_back ? "rollback to savepoint s" : "release savepoint s");
          if (!taken_back) keys.insert(key);
          if (random() % 3 == 0) std::this_thread::yield();
        }
        if (random() % 6 == 0) continue;  // rolled back
        work.commit();
        std::lock_guard lock(mutex);
        committed.insert(keys.begin(), keys.end());
      }
      --at_work;
    });
  }
  std::set<std::string> told;
  std::size_t limit = 0;
  const auto poll = [&] {
    const ChangesReply reply = read(cursor_, 1 + limit++ % 3);
    EXPECT_FALSE(reply.gap);
    for (const StoreChange& change : reply.changes) told.insert(change.id.key);
    cursor_ = reply.next;
    return reply.more;
  };
  while (at_work > 0) poll();
  for (std::thread& writer : writers) writer.join();
  while (poll()) {
  }
  EXPECT_EQ(told, committed);
  EXPECT_GT(committed.size(), 200u);
}

// What a dump brings from another server has numbers that no transaction has had here.
TEST_F(PostgresOpenTransactions, row_of_a_transaction_to_come_is_not_told_at_every_look) {
  save(*store_, write("a", 1));
  EXPECT_EQ(new_keys(), Keys{"a"});
  Outsider(database_.url())
      .run(
          "insert into tiercache.cache_changes (project_id, xid, cache_type, cache_key, version, "
          "writer) select id, '900000000000', 'd', 'restored', 1, 1 from tiercache.projects");
  EXPECT_EQ(new_keys(), Keys{});
  save(*store_, write("b", 1));
  EXPECT_EQ(new_keys(), Keys{"b"});
}

TEST_F(PostgresOpenTransactions, cursor_of_an_earlier_program_goes_on_where_it_was_I10) {
  Outsider owner(database_.url());
  const std::string incarnation = owner.ask("select incarnation from tiercache.schema_version");
  save(*store_, {write("a", 1), write("b", 1), write("c", 1)});
  const std::string xid = owner.ask("select max(xid) from tiercache.cache_changes");
  const std::string seq =
      owner.ask("select min(seq) from tiercache.cache_changes where cache_key = 'a'");
  cursor_ = incarnation + '/' + xid + '/' + seq;
  EXPECT_EQ(new_keys(), (Keys{"b", "c"}));
  cursor_ = incarnation + '/' + xid + "/0";
  EXPECT_EQ(new_keys(), (Keys{"a", "b", "c"}));
}

// A poll reads what is new, however much was written since the oldest transaction began.
TEST_F(PostgresOpenTransactions, poll_beside_an_old_one_reads_only_what_is_new_I8) {
  Outsider outsider(database_.url());
  pqxx::work old(outsider.raw());
  old.exec(saving("old"));
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 3'000; ++i) writes.push_back(write("k" + std::to_string(i), 1));
  ASSERT_EQ(save(*store_, writes).status, StoreStatus::ok);
  for (ChangesReply reply = read(cursor_, 1'000);; reply = read(cursor_, 1'000)) {
    cursor_ = reply.next;
    if (!reply.more) break;
  }
  Outsider asking(database_.admin());
  // A session tells what it has read when it ends, before it is gone from the list.
  const auto rows_read = [&] {
    store_.reset();
    for (const SteadyTime deadline = patience();
         asking.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                    "application_name = 'tiercache'") != "0" &&
         system_clock()->steady_now() < deadline;) {
    }
    return std::stoll(
        asking.ask("select idx_tup_read from pg_stat_user_indexes where "
                   "indexrelname = 'cache_changes_pkey'"));
  };
  const auto before = rows_read();
  store_ = open({.url = database_.url(), .keep_changes = {}});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(new_keys(), Keys{});
  EXPECT_GE(before, 3'000);
  EXPECT_LT(rows_read() - before, 200);
}

}  // namespace
}  // namespace tiercache::postgres
