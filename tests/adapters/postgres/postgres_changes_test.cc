// The change feed beyond what every store must do: purges, pages, another database.
#include <algorithm>

#include "adapters/postgres/change_reader.h"

namespace tiercache::postgres {
namespace {

TEST_F(PostgresChanges, cursor_from_before_a_purge_is_a_gap_and_later_ones_are_not) {
  save(*store_, {write("a", 1), write("b", 1)});
  const std::string before = cursor_;
  EXPECT_EQ(new_keys(), (Keys{"a", "b"}));
  Outsider owner(database_.url());
  EXPECT_EQ(owner.ask("select tiercache.purge_changes(interval '1 hour', 100)"), "0");
  EXPECT_FALSE(read(before).gap);
  EXPECT_EQ(owner.ask("select tiercache.purge_changes(interval '0', 100)"), "2");
  const ChangesReply behind = read(before);
  EXPECT_TRUE(behind.gap);
  EXPECT_TRUE(behind.changes.empty());
  EXPECT_FALSE(read(behind.next).gap);
  EXPECT_EQ(new_keys(), Keys{});
  save(*store_, write("c", 1));
  EXPECT_EQ(new_keys(), Keys{"c"});
}

TEST_F(PostgresChanges, idle_cursor_moves_on_so_that_a_purge_is_no_gap_for_it) {
  for (int i = 0; i < 5; ++i) {
    store_->save("other", std::vector{write("k" + std::to_string(i), 1)}, patience());
    EXPECT_EQ(new_keys(), Keys{});
  }
  Outsider owner(database_.url());
  EXPECT_EQ(owner.ask("select tiercache.purge_changes(interval '0', 100)"), "5");
  EXPECT_EQ(new_keys(), Keys{});
}

TEST_F(PostgresChanges, schema_that_was_made_anew_is_a_gap) {
  save(*store_, write("a", 1));
  Outsider(database_.admin()).run("drop schema tiercache cascade");
  store_ = open({.url = database_.url(), .apply_migrations = true});
  EXPECT_TRUE(read(cursor_).gap);
}

TEST_F(PostgresChanges, reading_purges_what_is_older_than_it_is_kept) {
  save(*store_, write("a", 1));
  Outsider owner(database_.url());
  owner.run("update tiercache.cache_changes set at = now() - interval '3 hours'");
  const auto purging = open({.url = database_.url(), .keep_changes = std::chrono::hours(2)});
  EXPECT_EQ(purging->changes("p", "", 10, patience()).status, StoreStatus::ok);
  for (const SteadyTime deadline = patience();
       owner.ask("select count(*) from tiercache.cache_changes") != "0" &&
       system_clock()->steady_now() < deadline;) {
  }
  EXPECT_EQ(owner.ask("select count(*) from tiercache.cache_changes"), "0");
  EXPECT_TRUE(read(cursor_).gap);
}

TEST_F(PostgresChanges, pages_go_on_inside_a_transaction) {
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 10; ++i) writes.push_back(write("k" + std::to_string(i), 1));
  save(*store_, writes);
  Keys keys;
  bool more = true;
  while (more) {
    const ChangesReply reply = read(cursor_, 3);
    for (const StoreChange& change : reply.changes) keys.push_back(change.id.key);
    cursor_ = reply.next;
    more = reply.more;
  }
  EXPECT_EQ(keys.size(), 10u);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

}  // namespace
}  // namespace tiercache::postgres
