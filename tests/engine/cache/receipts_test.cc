// What a call is told of a write that the store settled: of this very write, whenever it was
// settled (I13).
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

constexpr PutOptions kStored{.durability = Durability::store};

class Receipts : public ::testing::Test {
 protected:
  Dataset<JsonText> data() {
    return cache->dataset("d", {.keyed = true, .fresh_for = 24h, .hydrate = Hydrate::none()});
  }
  // Another machine writes the key, a moment before or after what is known here.
  void put_elsewhere(const std::string& document, std::int64_t later_ms) {
    Entry entry;
    const auto known = data().info("k");
    entry.version = {(known ? known->version.time : 1) +
                         static_cast<std::uint64_t>(later_ms) * (1 << Version::kCounterBits),
                     7};
    entry.document = std::make_shared<std::string>(document);
    entry.checksum = Checksum::of(document);
    entry.clocks.last_fetch = world.clock->wall_now();
    world.store->put_row("test", kId, entry);
  }
  Version row_version() const { return world.store->row("test", kId)->version; }

  World world;
  std::unique_ptr<Cache> cache = world.open();
};

TEST_F(Receipts, write_that_the_store_refused_before_anybody_waited_is_not_stored_I13) {
  const Version base = data().put("k", "1", kStored).version;
  put_elsewhere("2", 1);
  world.clock->advance(10s);
  const PutReceipt receipt =
      data().put("k", "3", {.durability = Durability::store, .if_version = base});
  EXPECT_FALSE(receipt.stored);
  EXPECT_TRUE(receipt.superseded);
  EXPECT_EQ(*data().get("k"), "2");
}

TEST_F(Receipts, of_two_that_count_up_from_one_version_one_alone_is_stored_I13) {
  const Version base = data().put("k", "1", kStored).version;
  // Both compare with the same version while the store is away, and are sent when it is back.
  world.store_down();
  std::optional<PutReceipt> first;
  data().put_async("k", "2", {.durability = Durability::store, .deadline = 1h, .if_version = base},
                   [&](const PutReceipt& receipt, const std::exception_ptr& error) {
                     EXPECT_EQ(error, nullptr);
                     first = receipt;
                   });
  world.executor->run_ready();
  world.store_up();
  put_elsewhere("other", 5);
  ASSERT_TRUE(world.run_until([&] { return first.has_value(); }));
  EXPECT_FALSE(first->stored);
  EXPECT_TRUE(first->superseded);
  EXPECT_FALSE(first->in_doubt) << "the store said that it was away: nothing of it was done";
}

TEST_F(Receipts, superseded_write_whose_first_attempt_was_lost_may_have_been_stored_I13) {
  data().put("k", "1", kStored);
  int saves = 0;
  world.store->set_fault([&](const std::string& operation) {
    if (operation != "save" || ++saves > 1) return StoreFault::none;
    return StoreFault::unknown_done;
  });
  std::optional<PutReceipt> receipt;
  data().put_async("k", "2", {.durability = Durability::store, .deadline = 1h},
                   [&](const PutReceipt& r, const std::exception_ptr&) { receipt = r; });
  ASSERT_TRUE(world.run_until([&] { return saves == 1; }));
  put_elsewhere("3", 5);
  ASSERT_TRUE(world.run_until([&] { return receipt.has_value(); }));
  EXPECT_TRUE(receipt->superseded);
  EXPECT_TRUE(receipt->in_doubt);
}

TEST_F(Receipts, write_that_a_later_one_replaced_in_the_outbox_is_superseded_I13) {
  world.store_down();
  std::optional<PutReceipt> first;
  data().put_async("k", "1", {.durability = Durability::store, .deadline = 1h},
                   [&](const PutReceipt& r, const std::exception_ptr&) { first = r; });
  world.executor->run_ready();
  data().put("k", "2");
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return first.has_value(); }));
  EXPECT_TRUE(first->superseded);
  EXPECT_FALSE(first->stored);
}

TEST_F(Receipts, write_from_which_the_later_one_was_made_is_stored_with_it_I13) {
  const Version base = data().put("k", "0", kStored).version;
  world.store_down();
  std::optional<PutReceipt> first;
  data().put_async("k", "1", {.durability = Durability::store, .deadline = 1h, .if_version = base},
                   [&](const PutReceipt& r, const std::exception_ptr&) { first = r; });
  world.executor->run_ready();
  data().put("k", "2", {.if_version = data().info("k")->version});
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return first.has_value(); }));
  EXPECT_TRUE(first->stored);
  EXPECT_FALSE(first->superseded);
}

TEST_F(Receipts, write_below_a_later_matching_erase_is_superseded_I13) {
  world.store_down();
  std::optional<PutReceipt> first;
  data().put_async("k", "1", {.durability = Durability::store, .deadline = 1h},
                   [&](const PutReceipt& r, const std::exception_ptr&) { first = r; });
  world.executor->run_ready();
  data().erase_matching("*");
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return first.has_value(); }));
  EXPECT_TRUE(first->superseded);
}

TEST_F(Receipts, matching_erase_that_a_later_one_of_the_same_pattern_did_is_stored_I13) {
  world.store_down();
  world.executor->schedule(world.clock->steady_now() + 1s, Lane::compute, [&] {
    data().erase_matching("*");
    world.store_up();
  });
  const PutReceipt receipt =
      data().erase_matching("*", {.durability = Durability::store, .deadline = 1h});
  EXPECT_TRUE(receipt.stored);
  EXPECT_FALSE(receipt.superseded);
}

// Nor does the other's write answer a call that waits for an erase.
TEST_F(Receipts, matching_erase_of_another_pattern_settles_nothing_of_this_one_I13) {
  world.store_down();
  std::optional<PutReceipt> beside;
  data().put_async("b", "1", {.durability = Durability::store, .deadline = 1h},
                   [&](const PutReceipt& receipt, const std::exception_ptr&) { beside = receipt; });
  world.executor->run_ready();
  data().erase_matching("a*");
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return beside.has_value(); }));
  EXPECT_TRUE(beside->stored);
  EXPECT_FALSE(beside->superseded);
}

TEST_F(Receipts, invalidation_of_what_another_machine_replaced_is_superseded_I13) {
  data().put("k", "1", kStored);
  put_elsewhere("2", 1);
  const PutReceipt receipt = data().invalidate("k", kStored);
  EXPECT_FALSE(receipt.stored);
  EXPECT_TRUE(receipt.superseded);
}

TEST_F(Receipts, invalidation_that_travels_with_its_content_is_stored_I13) {
  world.store_down();
  data().put("k", "1");
  world.clock->advance(1s);
  world.store_up();
  EXPECT_TRUE(data().invalidate("k", kStored).stored);
  EXPECT_TRUE(world.store->row("test", kId)->clocks.invalidated_at.has_value());
}

TEST_F(Receipts, comparison_with_an_unconfirmed_version_waits_until_that_is_confirmed_I13) {
  data().put("k", "1", kStored);
  world.store_down();
  const Version base = data().put("k", "2").version;
  EXPECT_THROW(
      data().put("k", "3", {.durability = Durability::store, .deadline = 1s, .if_version = base}),
      NotDurable);
  EXPECT_EQ(data().info("k")->version, base) << "nothing was written";
  world.store_up();
  const PutReceipt receipt = data().put(
      "k", "3", {.durability = Durability::store, .deadline = 10min, .if_version = base});
  EXPECT_TRUE(receipt.stored);
  EXPECT_EQ(row_version(), receipt.version);
}

// The other machine's write has a version between the base and what was made of it.
TEST_F(Receipts, comparison_with_a_version_that_then_loses_is_a_conflict_I13) {
  const Version known = data().put("k", "1", kStored).version;
  world.clock->advance(1min);
  world.store_down();
  const Version base = data().put("k", "2", {.if_version = known}).version;
  Entry other;
  other.version = {known.time + 1, 7};
  other.document = std::make_shared<std::string>("9");
  other.checksum = Checksum::of("9");
  other.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", kId, other);
  world.store_up();
  EXPECT_THROW(data().put("k", "3",
                          {.durability = Durability::store, .deadline = 10min, .if_version = base}),
               VersionConflict);
  EXPECT_EQ(row_version(), other.version) << "what another machine was told to be stored stands";
  EXPECT_EQ(*data().get("k"), "9");
}

TEST_F(Receipts, asynchronous_comparison_waits_without_holding_a_lane_I13) {
  data().put("k", "1", kStored);
  world.store_down();
  const Version base = data().put("k", "2").version;
  std::optional<PutReceipt> receipt;
  data().put_async("k", "3", {.durability = Durability::store, .deadline = 1h, .if_version = base},
                   [&](const PutReceipt& r, const std::exception_ptr&) { receipt = r; });
  world.executor->run_for(1min);
  EXPECT_FALSE(receipt.has_value());
  EXPECT_TRUE(data().put("other", "1").journaled);
  world.store_up();
  ASSERT_TRUE(world.run_until([&] { return receipt.has_value(); }));
  EXPECT_TRUE(receipt->stored);
}

TEST_F(Receipts, each_item_of_put_many_is_told_by_itself_I13) {
  world.store->set_refusal([](const StoreWrite& write) -> std::optional<std::string> {
    return write.id.key == "bad" ? std::optional<std::string>("too odd") : std::nullopt;
  });
  const std::vector<std::pair<std::string, std::string>> values{
      {"a", "1"}, {"bad", "2"}, {"c", "3"}};
  const auto receipts = data().put_many(values, kStored);
  ASSERT_EQ(receipts.size(), 3u);
  EXPECT_TRUE(receipts[0].stored);
  EXPECT_TRUE(receipts[2].stored);
  EXPECT_FALSE(receipts[1].stored);
  EXPECT_TRUE(receipts[1].journaled);
  EXPECT_NE(receipts[1].why.find("too odd"), std::string::npos);
}

TEST_F(Receipts, put_many_while_the_store_is_away_says_so_of_each_item_I13) {
  world.store_down();
  const std::vector<std::pair<std::string, std::string>> values{{"a", "1"}, {"b", "2"}};
  const auto receipts = data().put_many(values, {.durability = Durability::store, .deadline = 1s});
  for (const PutReceipt& receipt : receipts) {
    EXPECT_TRUE(receipt.journaled);
    EXPECT_FALSE(receipt.stored);
    EXPECT_NE(receipt.why, "");
  }
}

TEST_F(Receipts, close_counts_what_the_store_refused_as_parked_and_not_as_confirmed_I13) {
  world.store_down();
  data().put("a", "1");
  data().put("bad", "1");
  world.store->set_refusal([](const StoreWrite& write) -> std::optional<std::string> {
    return write.id.key == "bad" ? std::optional<std::string>("too odd") : std::nullopt;
  });
  world.store_up();
  const CloseReceipt receipt = cache->close();
  EXPECT_EQ(receipt.confirmed, 1u);
  EXPECT_EQ(receipt.parked, 1u);
}

TEST_F(Receipts, journal_full_of_parked_writes_says_so) {
  cache = world.open([](CacheOptions& options) {
    options.journal = {.max_bytes = 64 << 10, .segment_bytes = 4096};
  });
  world.store->set_refusal([](const StoreWrite&) { return std::optional<std::string>("no"); });
  const std::string document = '"' + std::string(2'000, 'x') + '"';
  std::string why;
  for (int i = 0; i < 100 && why.empty(); ++i) {
    try {
      data().put("k" + std::to_string(i), document);
      world.executor->run_for(1s);
    } catch (const NotDurable& error) {
      why = error.what();
    }
  }
  EXPECT_NE(why.find("parked"), std::string::npos) << why;
  EXPECT_GT(cache->stats().outbox_parked_bytes, 32u << 10);
}

// A clock that lets a test act while the engine asks for the time.
class HookedClock final : public Clock {
 public:
  explicit HookedClock(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  WallTime wall_now() const override { return clock_->wall_now(); }
  SteadyTime steady_now() const override { return clock_->steady_now(); }
  SteadyTime coarse_now() const override {
    if (const auto now = std::exchange(hook, {})) now();
    return clock_->coarse_now();
  }

  mutable std::function<void()> hook;

 private:
  const std::shared_ptr<Clock> clock_;
};

// It is journaled, sent and refused before the call that makes it has shown it to readers.
TEST_F(Receipts, write_that_the_store_refused_before_it_was_visible_does_not_come_to_light_I5) {
  const auto hooked = std::make_shared<HookedClock>(world.clock);
  cache = world.open([&](CacheOptions& options) { options.ports.clock = hooked; });
  data().put("first", "1", kStored);  // which store it is is known from now on
  put_elsewhere("\"other\"", 0);
  bool refused = false;
  world.store->on_call([&](const std::string& operation) {
    if (operation == "save") hooked->hook = {};
  });
  const std::vector<std::pair<std::string, std::string>> values{{"a", "1"}, {"b", "1"}, {"k", "1"}};
  // Whenever the time is asked for, all that waits is done first.
  std::function<void()> run = [&] {
    world.executor->run_ready();
    if (world.store->calls("save") < 2) hooked->hook = run;
    refused = refused || world.store->calls("save") >= 2;
  };
  hooked->hook = run;
  const auto receipts = data().put_many(values, {.if_version = Version{}});
  hooked->hook = {};
  ASSERT_TRUE(refused) << "the test does not test what it says";
  EXPECT_EQ(*data().get("k"), "\"other\"");
  EXPECT_THROW(data().put("k", "2", {.if_version = receipts[2].version}), VersionConflict);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", kId)->document, "\"other\"");
  cache->close();
  cache = world.open();
  EXPECT_EQ(*data().get("k"), "\"other\"") << "in its file";
}

}  // namespace
}  // namespace tiercache::testing
