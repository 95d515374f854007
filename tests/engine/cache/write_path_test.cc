#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "engine/cache/world.h"
#include "tiercache/error.h"

namespace tiercache::testing {
namespace {

TEST(WritePath, acknowledged_write_survives_kill_I1) {
  World world;
  auto cache = world.open();
  world.store_down();
  cache->dataset("d", hydrated()).put("k", "1");
  world.kill(cache);
  cache = world.open();
  EXPECT_EQ(*cache->dataset("d", hydrated()).get("k"), "1");
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_NE(world.store->row("test", {"d", "k"}), nullptr);
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
}

TEST(WritePath, acknowledged_write_survives_power_loss_I1) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    auto cache = world.open();
    world.store_down();
    auto data = cache->dataset("d", hydrated());
    for (int i = 0; i < 10; ++i) {
      data.put("k" + std::to_string(i % 3), std::to_string(i));
      world.executor->run_for(std::chrono::milliseconds(7 * static_cast<int>(seed % 5)));
    }
    world.lose_power(cache, seed);
    cache = world.open();
    data = cache->dataset("d", hydrated());
    EXPECT_EQ(*data.get("k0"), "9") << seed;
    EXPECT_EQ(*data.get("k1"), "7") << seed;
    EXPECT_EQ(*data.get("k2"), "8") << seed;
  }
}

TEST(WritePath, durability_store_waits_for_the_store_and_says_so) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  EXPECT_FALSE(data.put("a", "1").stored);
  EXPECT_TRUE(data.put("b", "1", {.durability = Durability::store}).stored);
  EXPECT_NE(world.store->row("test", {"d", "b"}), nullptr);
  world.store_down();
  EXPECT_THROW(data.put("c", "1", {.durability = Durability::store, .deadline = 1s}),
               DeadlineExceeded);
  EXPECT_EQ(*data.get("c"), "1") << "journaled all the same";
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_NE(world.store->row("test", {"d", "c"}), nullptr);
}

TEST(WritePath, durability_store_holds_for_an_invalidation_and_a_matching_erase_too) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("a", "1", {.durability = Durability::store});
  data.put("b", "1", {.durability = Durability::store});
  world.store_down();
  EXPECT_THROW(data.invalidate("a", {.durability = Durability::store, .deadline = 1s}),
               DeadlineExceeded);
  EXPECT_THROW(data.erase_matching("b*", {.durability = Durability::store, .deadline = 1s}),
               DeadlineExceeded);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_TRUE(data.invalidate("a", {.durability = Durability::store}).stored);
  EXPECT_TRUE(world.store->row("test", {"d", "a"})->clocks.invalidated_at);
  EXPECT_TRUE(data.erase_matching("a*", {.durability = Durability::store}).stored);
  EXPECT_EQ(world.store->row("test", {"d", "a"})->kind, EntryKind::tombstone);
}

TEST(WritePath, compare_and_set_refuses_another_version) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  const auto first = data.put("k", "1", {.if_version = Version{}});
  EXPECT_THROW(data.put("k", "2", {.if_version = Version{}}), VersionConflict);
  const auto second = data.put("k", "2", {.if_version = first.version});
  EXPECT_THROW(data.put("k", "3", {.if_version = first.version}), VersionConflict);
  EXPECT_EQ(*data.get("k"), "2");
  data.erase("k", {.if_version = second.version});
  EXPECT_TRUE(data.get("k").gone());
  data.put("k", "4", {.if_version = Version{}});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "4");
}

TEST(WritePath, compare_and_set_goes_on_after_a_write_that_the_full_journal_refused_I8) {
  World world;
  auto cache = world.open([](CacheOptions& options) {
    options.journal.segment_bytes = 64 << 10;
    options.journal.max_bytes = 1 << 20;
  });
  auto data = cache->dataset("d", hydrated());
  const Version first = data.put("k", "1").version;
  world.store_down();
  EXPECT_THROW(data.put("k", '"' + std::string(2 << 20, 'x') + '"'), NotDurable);
  EXPECT_NO_THROW(data.put("k", "2", {.if_version = first}));
  EXPECT_EQ(*data.get("k"), "2");
}

TEST(WritePath, put_over_a_row_that_no_file_has_yet_keeps_its_rich_fetch) {
  World world;
  world.write_elsewhere("k", "1");
  Entry row = *world.store->row("test", {"d", "k"});
  row.clocks.last_rich_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, row);
  auto cache = world.open();
  auto options = hydrated();
  options.hydrate = Hydrate::none();
  auto data = cache->dataset("d", options);
  world.disk.set_fault([](const std::string&, const std::string& path) {
    return path.find("/tmp/") != std::string::npos ? ENOSPC : 0;
  });
  ASSERT_EQ(*data.get("k"), "1");
  data.put("k", "2");
  EXPECT_EQ(data.info("k")->last_rich_fetch, row.clocks.last_rich_fetch);
  world.disk.set_fault({});
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->row("test", {"d", "k"})->clocks.last_rich_fetch,
            row.clocks.last_rich_fetch);
}

TEST(WritePath, newer_row_of_another_machine_supersedes_and_is_taken_I3) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store_down();
  const auto mine = data.put("k", "\"mine\"");
  Entry theirs;
  theirs.version = Version{mine.version.time + (1 << 16), 7};
  theirs.document = std::make_shared<const std::string>("\"theirs\"");
  theirs.checksum = Checksum::of(*theirs.document);
  theirs.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, theirs);
  world.store_up();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*data.get("k"), "\"theirs\"");
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "\"theirs\"");
  const auto again = data.put("k", "\"again\"");
  EXPECT_GT(again.version, theirs.version);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "\"again\"");
}

TEST(WritePath, refused_write_is_parked_served_locally_and_reported) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store->set_refusal([](const StoreWrite& write) -> std::optional<std::string> {
    if (write.id.key == "bad") return "the table has a check that refuses it";
    return std::nullopt;
  });
  data.put("bad", "1");
  data.put("good", "2");
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*data.get("bad"), "1");
  EXPECT_EQ(cache->health().parked, 1u);
  EXPECT_NE(world.store->row("test", {"d", "good"}), nullptr);
  EXPECT_EQ(cache->close().parked, 1u);
}

TEST(WritePath, outage_of_the_store_delays_but_loses_nothing) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  world.store_down();
  for (int i = 0; i < 250; ++i) data.put("k" + std::to_string(i), std::to_string(i));
  world.executor->run_for(1h);
  EXPECT_EQ(world.store->rows(), 0u);
  EXPECT_EQ(cache->stats().outbox_depth, 250u);
  EXPECT_FALSE(cache->health().store.working);
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return cache->stats().outbox_depth == 0; }, 10min))
      << "drained by itself within the longest back-off";
  EXPECT_EQ(world.store->rows(), 250u);
  EXPECT_TRUE(cache->health().store.working);
}

TEST(WritePath, unknown_outcomes_of_the_store_are_repeated_until_settled) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  int call = 0;
  world.store->set_fault([&](const std::string& operation) {
    if (operation != "save") return StoreFault::none;
    ++call;
    return call % 3 == 1 ? StoreFault::unknown_done
                         : (call % 3 == 2 ? StoreFault::unknown_undone : StoreFault::none);
  });
  for (int i = 0; i < 20; ++i) data.put("k" + std::to_string(i % 5), std::to_string(i));
  ASSERT_TRUE(cache->flush(1h));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(*world.store->row("test", {"d", "k" + std::to_string(i)})->document,
              std::to_string(15 + i));
  }
}

TEST(WritePath, disk_that_refuses_sends_the_write_to_the_store_or_throws) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("a", "1");
  world.disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" || operation == "sync_data" || operation == "open" ||
                   operation == "write_file"
               ? ENOSPC
               : 0;
  });
  const auto receipt = data.put("a", "2");
  EXPECT_FALSE(receipt.journaled);
  EXPECT_TRUE(receipt.stored);
  EXPECT_EQ(*data.get("a"), "2");
  EXPECT_FALSE(cache->health().journal.working);
  world.store_down();
  EXPECT_THROW(data.put("a", "3"), NotDurable);
  EXPECT_EQ(*data.get("a"), "2");
  world.disk.set_fault({});
  world.store_up();
  EXPECT_TRUE(data.put("a", "4").journaled);
  EXPECT_TRUE(cache->health().journal.working);
}

// On a disk whose journal takes nothing for a while.
class RefusedWrite : public ::testing::Test {
 protected:
  RefusedWrite() {
    first = data.put("k", "1").version;
    EXPECT_TRUE(cache->flush());
    world.disk.set_fault([](const std::string& operation, const std::string& path) {
      const bool written = operation == "write_at" || operation == "open";
      return written && path.find("/journal/") != std::string::npos ? ENOSPC : 0;
    });
  }
  void disk_up() {
    world.disk.set_fault({});
    world.executor->run_for(1s);
  }
  NotDurable::State state_of_a_put() {
    try {
      data.put("k", "2");
    } catch (const NotDurable& error) {
      return error.state();
    }
    ADD_FAILURE() << "it was made durable";
    return {};
  }
  // As one process after another compares: none of them waits for the refused write.
  void expect_next_is_made_from(Version version) {
    const Version next = data.put("k", "3", {.if_version = version}).version;
    EXPECT_TRUE(cache->flush());
    const auto other = world.open_beside();
    EXPECT_NO_THROW(other->dataset("d", hydrated()).put("k", "4", {.if_version = next}));
    other->close();
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset("d", hydrated());
  Version first;
};

TEST_F(RefusedWrite, write_that_the_store_took_instead_is_under_way_no_more) {
  const PutReceipt receipt = data.put("k", "2");
  ASSERT_TRUE(receipt.stored && !receipt.journaled);
  disk_up();
  expect_next_is_made_from(receipt.version);
}

TEST_F(RefusedWrite, write_that_no_tier_took_is_under_way_no_more) {
  world.store_down();
  EXPECT_THROW(data.put("k", "2"), NotDurable);
  world.store_up();
  disk_up();
  expect_next_is_made_from(first);
}

// The record was written and only its sync failed: a crash may bring it back.
TEST_F(RefusedWrite, write_that_may_be_in_the_journal_is_unknown_whatever_the_store_says_I13) {
  const auto fail_syncs = [&] {
    world.disk.set_fault([](const std::string& operation, const std::string& path) {
      return operation == "sync_data" && path.ends_with(".seg") ? EIO : 0;
    });
  };
  fail_syncs();
  world.store_down();
  EXPECT_EQ(state_of_a_put(), NotDurable::State::unknown);
  world.store_up();
  disk_up();
  ASSERT_TRUE(data.put("other", "1").journaled);  // into a segment that is open from then on
  fail_syncs();
  world.store->set_refusal([](const StoreWrite&) { return std::optional<std::string>("no room"); });
  EXPECT_EQ(state_of_a_put(), NotDurable::State::unknown);
}

TEST(WritePath, bad_documents_are_refused_with_the_reason_and_place_and_nothing_is_stored) {
  World world;
  auto cache = world.open([](CacheOptions& o) {
    o.limits.max_document_bytes = 1000;
    o.limits.max_depth = 10;
  });
  auto data = cache->dataset("d", hydrated());
  data.put("k", "1");
  for (const std::string& bad :
       {std::string(R"({"a":1,"a":2})"), std::string("{"), std::string(""), std::string("\xff"),
        std::string(2000, ' ') + "1", std::string(20, '[') + std::string(20, ']')}) {
    try {
      data.put("k", bad);
      ADD_FAILURE() << bad.substr(0, 20);
    } catch (const InvalidDocument& error) {
      EXPECT_NE(std::string(error.what()).find("Nothing was stored"), std::string::npos);
    }
  }
  EXPECT_THROW(data.put("k", "2", {.metadata = "[]"}), InvalidDocument);
  EXPECT_EQ(*data.get("k"), "1");
}

TEST(WritePath, bad_keys_are_refused) {
  World world;
  auto cache = world.open();
  auto many = cache->dataset("many", hydrated());
  auto one = cache->dataset("one", {});
  EXPECT_THROW(many.put("", "1"), InvalidKey);
  EXPECT_THROW(many.put(std::string(1025, 'x'), "1"), InvalidKey);
  EXPECT_THROW(many.put("\xff", "1"), InvalidKey);
  EXPECT_THROW(one.put("k", "1"), InvalidKey);
  EXPECT_THROW((void)many.get(""), InvalidKey);
  EXPECT_NO_THROW(many.put(std::string(1024, 'x'), "1"));
}

TEST(WritePath, put_many_is_one_sync_and_all_or_nothing_when_one_is_bad) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  const auto before = cache->stats().journal_syncs;
  std::vector<std::pair<std::string, std::string>> values;
  for (int i = 0; i < 50; ++i) values.emplace_back("k" + std::to_string(i), std::to_string(i));
  EXPECT_EQ(data.put_many(values).size(), 50u);
  EXPECT_EQ(cache->stats().journal_syncs - before, 1u);
  values.emplace_back("bad", "{");
  values[0].second = "\"changed\"";
  EXPECT_THROW(data.put_many(values), InvalidDocument);
  EXPECT_EQ(*data.get("k0"), "0");
}

TEST(WritePath, flags_do_not_break_durability_I1) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.flags.store_enabled = false; });
  auto data = cache->dataset("d", hydrated());
  data.put("k", "1");
  EXPECT_FALSE(cache->health().store.enabled);
  cache->close();
  EXPECT_EQ(world.store->rows(), 0u);
  cache = world.open();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->rows(), 1u) << "the outbox waited for the store to be switched on";
}

TEST(WritePath, without_background_retry_a_write_waits_for_flush) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.flags.background_retry = false; });
  auto data = cache->dataset("d", hydrated());
  data.put("first", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.put("k", "1");
  const auto before = world.store->calls("save");
  world.executor->run_for(1h);
  EXPECT_EQ(world.store->calls("save"), before + 1);
  world.store_up();
  world.executor->run_for(1h);
  EXPECT_EQ(world.store->rows(), 1u);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->rows(), 2u);
}

TEST(WritePath, close_tells_what_is_left_and_drops_nothing) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("a", "1");
  ASSERT_TRUE(cache->flush());
  world.store_down();
  data.put("b", "2");
  const CloseReceipt receipt = cache->close(1s);
  EXPECT_EQ(receipt.left_in_outbox, 1u);
  EXPECT_EQ(receipt.dropped, 0u);
  EXPECT_TRUE(receipt.files_complete);
  EXPECT_EQ(cache->close().left_in_outbox, 1u) << "the first receipt again";
  world.store_up();
  cache = world.open();
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(world.store->rows(), 2u);
}

TEST(WritePath, memory_stays_within_its_budget_while_writes_are_pending_I8) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.memory.max_bytes = 1 << 20; });
  auto data = cache->dataset("d", hydrated());
  const std::string document = '"' + std::string(10'000, 'x') + '"';
  for (int i = 0; i < 1'000; ++i) {
    data.put("k" + std::to_string(i), document);
    EXPECT_LE(cache->stats().memory_bytes_charged, (1u << 20) + 64'000u) << i;
  }
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(cache->stats().memory_bytes_pinned, 0u);
  EXPECT_EQ(*data.get("k0"), document);
}

TEST(WritePath, writes_of_other_threads_do_not_lose_updates_under_compare_and_set) {
  World world;
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated());
  data.put("n", "0");
  int conflicts = 0;
  int done = 0;
  std::function<void(int)> increment = [&](int left) {
    if (left == 0) {
      ++done;
      return;
    }
    data.get_async("n", {}, [&, left](Snapshot<JsonText> snapshot) {
      const int value = std::stoi(*snapshot);
      data.put_async("n", std::to_string(value + 1), {.if_version = snapshot.version()},
                     [&, left](PutReceipt, std::exception_ptr error) {
                       conflicts += error ? 1 : 0;
                       increment(error ? left : left - 1);
                     });
    });
  };
  for (int i = 0; i < 5; ++i) increment(20);
  ASSERT_TRUE(world.run_until([&] { return done == 5; }, 1min));
  EXPECT_EQ(*data.get("n"), "100");
  EXPECT_GT(conflicts, 0);
}

}  // namespace
}  // namespace tiercache::testing
