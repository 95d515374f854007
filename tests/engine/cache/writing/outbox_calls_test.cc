// What the store refused for good: listed, sent again, or given up for what the store has.
#include "cache/writing/outbox_calls.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

using Outcomes = std::vector<OutboxOutcome>;

class OutboxCallsTest : public ::testing::Test {
 protected:
  OutboxCallsTest() { room.store_writer.start(); }

  // The store refuses it, and takes all others afterwards.
  void park(Entry entry, const EntryId& id = kId, std::optional<Version> guard = {}) {
    ground.store->set_refusal([](const StoreWrite&) { return "not here"; });
    ASSERT_EQ(room.local.write(data, std::move(entry), id, guard), AppendStatus::durable);
    ground.run_for(1s);
    room.store_writer.kick();
    ASSERT_TRUE(room.run_until_idle());
    ground.store->set_refusal({});
    ASSERT_GT(parked(), 0u);
  }
  std::uint64_t parked() { return room.local.tiers.journal().stats().parked; }
  OutboxOutcome discard(const EntryId& id = kId, std::uint64_t of = 5) {
    const std::vector<OutboxId> ids{{id, version(of)}};
    return room.outbox.discard(ids, ground.in(1s)).front();
  }

  Ground ground;
  WritingRoom room{ground};
  DatasetState& data = ground.open();
};

TEST_F(OutboxCallsTest, parked_writes_are_listed_page_by_page_with_what_the_store_said) {
  park(document(5), {"d", "a"});
  park(document(6), {"d", "b"});
  OutboxQuery query;
  query.limit = 1;
  OutboxPage page = room.outbox.list(query);
  ASSERT_EQ(page.writes.size(), 1u);
  EXPECT_EQ(page.writes.front().id.key, "a");
  EXPECT_EQ(page.writes.front().why, "not here");
  ASSERT_TRUE(page.next);
  query.after = page.next;
  query.limit = 10;
  page = room.outbox.list(query);
  ASSERT_EQ(page.writes.size(), 1u);
  EXPECT_EQ(page.writes.front().id.key, "b");
  EXPECT_FALSE(page.next);
  query.limit = 0;
  EXPECT_TRUE(room.outbox.list(query).writes.empty());
}

TEST_F(OutboxCallsTest, calls_on_a_cache_that_closes_throw) {
  ground.runtime.tasks.close();
  EXPECT_THROW((void)room.outbox.list({}), Closed);
  EXPECT_THROW((void)room.outbox.retry({kId}), Closed);
  EXPECT_THROW((void)room.outbox.discard({}, ground.in(1s)), Closed);
}

TEST_F(OutboxCallsTest, retried_write_goes_to_the_store_once_it_is_sent) {
  park(document(5, "5"));
  EXPECT_FALSE(room.outbox.retry({kId, version(4)}));
  EXPECT_FALSE(room.outbox.retry({{"d", "other"}}));
  EXPECT_TRUE(room.outbox.retry({kId, version(5)}));
  room.outbox.send_retried();
  ASSERT_TRUE(room.run_until_idle());
  EXPECT_EQ(text_of(ground.row()), "5");
  EXPECT_EQ(parked(), 0u);
}

TEST_F(OutboxCallsTest, discarded_write_makes_way_for_the_stores_row) {
  park(document(5, "refused"));
  ground.put_row(document(3, "row"));
  EXPECT_EQ(discard(), OutboxOutcome::done);
  EXPECT_EQ(room.local.found(data), "row");
  EXPECT_EQ(room.local.file(), "row");
  EXPECT_EQ(parked(), 0u);
  EXPECT_EQ(discard(), OutboxOutcome::not_parked);
  EXPECT_TRUE(room.outbox.forget_discarded(ground.in(1s)));
}

TEST_F(OutboxCallsTest, discarded_write_of_which_the_store_has_no_row_goes) {
  park(document(5, "refused"));
  EXPECT_EQ(discard(), OutboxOutcome::done);
  EXPECT_EQ(room.local.found(data), "<nothing>");
}

TEST_F(OutboxCallsTest, write_stays_parked_while_the_store_does_not_say_what_stands_there_I1) {
  park(document(5, "refused"));
  ground.store_does(StoreFault::unavailable);
  EXPECT_EQ(discard(), OutboxOutcome::store_unavailable);
  EXPECT_EQ(parked(), 1u);
  EXPECT_EQ(room.local.found(data), "refused");
  ground.store->set_fault({});
  ground.put_row(document(3));
  ground.store->corrupt_row("test", kId, "torn");
  EXPECT_EQ(discard(), OutboxOutcome::store_unavailable) << "nor by a corrupt row";
}

TEST_F(OutboxCallsTest, write_stays_parked_and_served_where_the_disk_does_not_give_its_file_up_I1) {
  park(document(5, "refused"));
  ground.put_row(document(3, "row"));
  ground.refuse_files();
  EXPECT_EQ(discard(), OutboxOutcome::disk_failed);
  EXPECT_EQ(parked(), 1u);
  EXPECT_EQ(room.local.found(data), "refused");
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_EQ(discard(), OutboxOutcome::disk_failed) << "not for good, without a sync";
  EXPECT_EQ(parked(), 1u);
  ground.disk_works();
  EXPECT_TRUE(room.local.file_writer.sync() || room.local.file_writer.sync());
  EXPECT_EQ(discard(), OutboxOutcome::done);
  EXPECT_EQ(room.local.found(data), "row");
}

TEST_F(OutboxCallsTest, each_of_many_has_an_outcome_of_its_own_I13) {
  park(document(5), {"d", "a"});
  const std::vector<OutboxId> ids{
      {{"d", "other"}}, {{"d", "a"}, version(5)}, {{"d", "a"}, version(4)}};
  EXPECT_EQ(room.outbox.discard(ids, ground.in(1s)),
            (Outcomes{OutboxOutcome::not_parked, OutboxOutcome::done, OutboxOutcome::not_parked}));
}

TEST_F(OutboxCallsTest, what_a_discarded_write_had_hidden_and_the_store_lacks_is_served_I1) {
  park(document(7, "refused"), kId, version(3));
  ground.store_does(StoreFault::unavailable);
  Record below;
  below.id = kId;
  below.entry = document(6, "waits");
  ASSERT_EQ(room.local.journal(below), AppendStatus::durable);
  ground.store->set_fault({});
  ground.store->set_refusal([](const StoreWrite&) { return "not here"; });
  EXPECT_EQ(discard(kId, 7), OutboxOutcome::done);
  EXPECT_EQ(room.local.found(data), "waits");
}

TEST_F(OutboxCallsTest, nothing_can_be_discarded_without_a_store_and_retried_is_what_was_parked) {
  Ground without([](CacheOptions& options) { options.flags.store_enabled = false; });
  WritingRoom alone(without);
  without.open();
  Record record;
  record.id = kId;
  record.entry = document(5);
  ASSERT_EQ(alone.local.journal(record), AppendStatus::durable);
  for (const UnsettledWrite& write : alone.local.tiers.journal().take_unsettled(1, 1'000)) {
    alone.local.tiers.journal().park(write, "not here");
  }
  alone.local.tiers.journal().commit();
  const std::vector<OutboxId> ids{{kId, version(5)}};
  EXPECT_EQ(alone.outbox.discard(ids, without.in(1s)), Outcomes{OutboxOutcome::store_unavailable});
  EXPECT_TRUE(alone.outbox.retry(ids.front()));
}

}  // namespace
}  // namespace tiercache::detail
