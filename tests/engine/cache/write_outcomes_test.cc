// What a write is told where the journal does not take it: by what the disk did and what the store
// said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Values = std::vector<std::pair<std::string, std::string>>;

constexpr PutOptions kStored{.durability = Durability::store};

class WriteOutcomes : public ::testing::Test {
 protected:
  // Nothing can be written, or what was written cannot be synced: then it may be there yet.
  enum class Disk : std::uint8_t { refuses_writes, refuses_syncs };
  enum class StoreIs : std::uint8_t { away, in_doubt, refusing };

  void break_disk(Disk how) {
    world.disk.set_fault([how](const std::string& operation, const std::string&) {
      const bool writes =
          operation == "write_at" || operation == "open" || operation == "write_file";
      const bool fails = operation == "sync_data" || (how == Disk::refuses_writes && writes);
      return fails ? EIO : 0;
    });
  }
  // The same, once the segment that was open is given up: no byte of a later write can be there.
  void break_disk_for_good() {
    break_disk(Disk::refuses_writes);
    ASSERT_TRUE(data.put("first to fail", "1").stored);
  }
  void break_store(StoreIs how) {
    world.store->set_fault([how](const std::string& operation) {
      if (operation != "save" || how == StoreIs::refusing) return StoreFault::none;
      return how == StoreIs::away ? StoreFault::unavailable : StoreFault::unknown_undone;
    });
    if (how != StoreIs::refusing) return;
    world.store->set_refusal([](const StoreWrite&) { return std::optional<std::string>("no"); });
  }
  void mend() {
    world.disk.set_fault({});
    world.store->set_fault({});
    world.store->set_refusal({});
  }
  NotDurable failed_put(const std::string& key, const PutOptions& options = {}) {
    try {
      data.put(key, "2", options);
    } catch (const NotDurable& error) {
      return error;
    }
    ADD_FAILURE() << "it was written";
    return NotDurable(NotDurable::State::unknown, "(written)", "");
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset("d", {.keyed = true, .fresh_for = 24h});
};

TEST_F(WriteOutcomes, not_applied_is_said_only_where_neither_disk_nor_store_can_have_it_I13) {
  using enum NotDurable::State;
  const auto state = [&](Disk disk, StoreIs store) {
    data.put("k", "1", kStored);
    if (disk == Disk::refuses_writes) {
      break_disk_for_good();
    } else {
      break_disk(disk);
    }
    break_store(store);
    const NotDurable error = failed_put("k");
    EXPECT_THAT(error.details(), HasSubstr("; the store: "));
    EXPECT_EQ(*data.get("k"), "1");
    const bool in_doubt = error.state() == unknown;
    EXPECT_EQ(
        std::string(error.what()).find("It may appear later, as version ") != std::string::npos,
        in_doubt)
        << error.what();
    mend();
    world.executor->run_for(10s);
    return error.state();
  };
  EXPECT_EQ(state(Disk::refuses_writes, StoreIs::away), not_applied);
  EXPECT_EQ(state(Disk::refuses_writes, StoreIs::in_doubt), unknown);
  EXPECT_EQ(state(Disk::refuses_writes, StoreIs::refusing), not_applied);
  EXPECT_EQ(state(Disk::refuses_syncs, StoreIs::away), unknown);
  EXPECT_EQ(state(Disk::refuses_syncs, StoreIs::in_doubt), unknown);
  EXPECT_EQ(state(Disk::refuses_syncs, StoreIs::refusing), unknown);
}

TEST_F(WriteOutcomes, without_a_store_the_disk_alone_says_it_I13) {
  cache = world.open([](CacheOptions& options) { options.store = nullptr; });
  data = cache->dataset("d", {.keyed = true, .fresh_for = 24h});
  break_disk(Disk::refuses_writes);
  EXPECT_EQ(failed_put("k").state(), NotDurable::State::not_applied);
  mend();
  data.put("k", "1");
  break_disk(Disk::refuses_syncs);
  EXPECT_EQ(failed_put("k").state(), NotDurable::State::unknown);
}

TEST_F(WriteOutcomes, write_that_fails_in_every_tier_leaves_its_key_as_it_was) {
  const Version version = data.put("k", "1", kStored).version;
  for (const Disk disk : {Disk::refuses_writes, Disk::refuses_syncs}) {
    break_disk(disk);
    break_store(StoreIs::away);
    failed_put("k");
    failed_put("new");
    mend();
    world.executor->run_for(10s);
  }
  EXPECT_EQ(data.info("k")->version, version);
  EXPECT_NO_THROW(data.put("k", "3", {.if_version = version}));
  EXPECT_NO_THROW(data.put("new", "3", {.if_version = Version{}}));
}

TEST_F(WriteOutcomes, newer_row_of_another_machine_wins_also_where_the_disk_refuses_I3) {
  data.put("k", "1", kStored);
  world.clock->advance(1s);
  world.write_elsewhere("k", "9");
  world.clock->advance(-500ms);
  break_disk(Disk::refuses_writes);
  const PutReceipt receipt = data.put("k", "2");
  EXPECT_TRUE(receipt.superseded);
  EXPECT_FALSE(receipt.journaled);
  EXPECT_FALSE(receipt.stored);
  EXPECT_EQ(*data.get("k", {.reach = Reach::local}), "9");
  mend();
  EXPECT_NO_THROW(data.put("k", "3", {.if_version = data.info("k")->version}));
}

TEST_F(WriteOutcomes, write_that_the_store_had_already_is_stored) {
  break_disk(Disk::refuses_writes);
  int saves = 0;
  world.store->set_fault([&](const std::string& operation) {
    if (operation == "save") ++saves;
    return StoreFault::none;
  });
  EXPECT_TRUE(data.put("k", "1").stored);
  EXPECT_EQ(saves, 1);
  EXPECT_EQ(*data.get("k"), "1");
}

TEST_F(WriteOutcomes, invalidation_goes_to_the_store_where_the_disk_refuses_it) {
  data.put("k", "1", kStored);
  world.executor->run_for(10s);
  world.clock->advance(1s);
  break_disk(Disk::refuses_writes);
  const PutReceipt receipt = data.invalidate("k");
  EXPECT_TRUE(receipt.stored);
  EXPECT_FALSE(receipt.journaled);
  const EntryPtr row = world.store->row("test", {"d", "k"});
  EXPECT_EQ(row->clocks.invalidated_at, world.clock->wall_now());
  EXPECT_EQ(*row->document, "1");
  EXPECT_EQ(data.info("k")->invalidated_at, world.clock->wall_now());
}

// It waits for no other machine's clock and no other process any more once it has failed.
TEST_F(WriteOutcomes,
       matching_erase_that_the_disk_refuses_is_not_applied_and_stands_in_nobodys_way) {
  const Version version = data.put("k", "1", kStored).version;
  break_disk_for_good();
  const std::uint64_t erases = world.store->calls("erase_matching");
  try {
    data.erase_matching("*");
    ADD_FAILURE() << "it was applied";
  } catch (const NotDurable& error) {
    EXPECT_EQ(error.state(), NotDurable::State::not_applied);
  }
  mend();
  world.executor->run_for(10s);
  EXPECT_EQ(world.store->calls("erase_matching"), erases);
  EXPECT_EQ(*data.get("k"), "1");
  EXPECT_NO_THROW(data.put("k", "2", {.if_version = version}));
  EXPECT_NO_THROW(data.put("new", "2", {.if_version = Version{}}));
}

TEST_F(WriteOutcomes, matching_erase_that_is_done_stands_in_nobodys_way) {
  data.erase_matching("*", kStored);
  EXPECT_NO_THROW(data.put("new", "1", {.if_version = Version{}}));
}

// --- Of many ---

TEST_F(WriteOutcomes, each_of_many_that_go_to_the_store_is_told_by_itself_I13) {
  data.put("taken", "1", kStored);
  break_disk(Disk::refuses_writes);
  const auto receipts =
      data.put_many(Values{{"taken", "2"}, {"free", "2"}}, {.if_version = Version{}});
  ASSERT_EQ(receipts.size(), 2u);
  EXPECT_TRUE(receipts[0].version.is_zero());
  EXPECT_FALSE(receipts[0].journaled || receipts[0].stored || receipts[0].superseded ||
               receipts[0].in_doubt);
  EXPECT_THAT(receipts[0].why, HasSubstr("zero says that there is none"));
  EXPECT_TRUE(receipts[1].stored);
  EXPECT_FALSE(receipts[1].journaled || receipts[1].superseded || receipts[1].in_doubt);
  EXPECT_EQ(receipts[1].version, data.info("free")->version);
}

TEST_F(WriteOutcomes, one_of_many_that_another_machine_has_newer_is_superseded_I13) {
  data.put("k", "1", kStored);
  world.clock->advance(1s);
  world.write_elsewhere("k", "9");
  world.clock->advance(-500ms);
  break_disk(Disk::refuses_writes);
  const auto receipts = data.put_many(Values{{"k", "2"}});
  EXPECT_TRUE(receipts.at(0).superseded);
  EXPECT_FALSE(receipts.at(0).version.is_zero());
}

TEST_F(WriteOutcomes, one_of_many_that_may_be_there_yet_is_in_doubt_I13) {
  data.put("b", "1", kStored);
  break_disk(Disk::refuses_writes);
  bool first = true;
  world.store->set_fault([&](const std::string& operation) {
    if (operation != "save") return StoreFault::none;
    return std::exchange(first, false) ? StoreFault::unknown_done : StoreFault::none;
  });
  const auto receipts = data.put_many(Values{{"a", "1"}, {"c", "1"}});
  ASSERT_EQ(receipts.size(), 2u);
  const PutReceipt& doubtful = receipts[0].in_doubt ? receipts[0] : receipts[1];
  const PutReceipt& sure = receipts[0].in_doubt ? receipts[1] : receipts[0];
  EXPECT_TRUE(doubtful.in_doubt);
  EXPECT_FALSE(doubtful.version.is_zero());
  EXPECT_FALSE(doubtful.journaled || doubtful.stored || doubtful.superseded);
  EXPECT_TRUE(sure.stored);
}

TEST_F(WriteOutcomes, where_none_of_many_is_sure_the_one_in_doubt_is_named_I13) {
  data.put("taken", "1", kStored);
  break_disk(Disk::refuses_writes);
  break_store(StoreIs::in_doubt);
  try {
    data.put_many(Values{{"taken", "2"}, {"free", "2"}}, {.if_version = Version{}});
    ADD_FAILURE() << "it was written";
  } catch (const NotDurable& error) {
    EXPECT_EQ(error.state(), NotDurable::State::unknown);
    EXPECT_THAT(error.what(), StartsWith("values[1]: "));
  }
}

// --- In time ---

TEST_F(WriteOutcomes, write_whose_time_is_over_while_the_store_is_asked_may_appear_later_I7_I13) {
  break_disk(Disk::refuses_writes);
  const NotDurable error = failed_put("k", {.deadline = 0ms});
  EXPECT_EQ(error.state(), NotDurable::State::unknown);
  EXPECT_THAT(error.what(), HasSubstr("It may appear later."));
  EXPECT_THAT(error.details(), HasSubstr("the deadline passed"));
}

TEST_F(WriteOutcomes, latency_of_a_write_is_that_of_the_tier_that_took_it) {
  break_disk(Disk::refuses_writes);
  world.store->on_call([&](const std::string& operation) {
    if (operation == "save") world.clock->advance(2s);
  });
  data.put("k", "1");
  const Histogram latency = cache->stats().put_latency;
  EXPECT_EQ(latency.count, 1u);
  EXPECT_EQ(latency.sum, 2s);
}

// --- A full journal ---

TEST_F(WriteOutcomes,
       journal_full_of_what_the_store_has_not_confirmed_says_so_and_takes_more_later) {
  cache = world.open([](CacheOptions& options) {
    options.journal = {.max_bytes = 64 << 10, .segment_bytes = 4096};
  });
  data = cache->dataset("d", {.keyed = true, .fresh_for = 24h});
  world.store_down();
  const std::string document = '"' + std::string(2'000, 'x') + '"';
  std::optional<NotDurable> full;
  int taken = 0;
  for (; taken < 100 && !full; ++taken) {
    try {
      data.put("k" + std::to_string(taken), document);
      world.executor->run_for(1s);
    } catch (const NotDurable& error) {
      full = error;
    }
  }
  ASSERT_TRUE(full);
  EXPECT_EQ(full->state(), NotDurable::State::not_applied);
  EXPECT_THAT(full->what(), AllOf(HasSubstr("journal.max_bytes = 65536, of writes that the store "
                                            "has not confirmed. Nothing was stored"),
                                  Not(HasSubstr("parked"))));
  const std::string refused = "k" + std::to_string(taken - 1);
  EXPECT_FALSE(data.info(refused).has_value());
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_TRUE(data.put(refused, document, {.if_version = Version{}}).journaled);
}

}  // namespace
}  // namespace tiercache::testing
