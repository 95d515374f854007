// A directory opened with a store that it does not belong to, as by a forgotten variable: what
// waits for the right one does not go there, and nothing that the wrong one has is kept.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

class WrongStore : public ::testing::Test {
 protected:
  WrongStore() {
    wrong->lose_change_cursors();  // so that its incarnation is another one
    wrong->set_name("another");
    auto cache = world.open();
    data(*cache).put("k", "1");
    EXPECT_TRUE(cache->flush());
    world.store_down();
    data(*cache).put("k", "2");
    EXPECT_EQ(cache->close(1s).left_in_outbox, 1u);
    world.store_up();
  }
  static Dataset<JsonText> data(Cache& cache) {
    return cache.dataset("d", {.keyed = true, .fresh_for = 24h * 365});
  }
  std::unique_ptr<Cache> open_wrong(bool polls = true) {
    return world.open([&](CacheOptions& options) {
      options.store = wrong;
      if (!polls) options.store_calls.poll_every = 0ms;
    });
  }
  void put_in_wrong(const std::string& key, const std::string& document) {
    Entry entry;
    entry.version = {~std::uint64_t{0} >> 2, 9};
    entry.document = std::make_shared<std::string>(document);
    entry.checksum = Checksum::of(document);
    entry.clocks.last_fetch = world.clock->wall_now();
    wrong->put_row("test", {"d", key}, entry);
  }

  World world;
  std::shared_ptr<MemoryStore> wrong = std::make_shared<MemoryStore>(world.clock);
};

TEST_F(WrongStore, outbox_waits_until_the_right_one_is_back_I1) {
  auto cache = open_wrong();
  EXPECT_FALSE(cache->flush(30s));
  EXPECT_EQ(wrong->row("test", kId), nullptr);
  EXPECT_EQ(cache->stats().outbox_depth, 1u);
  const Health health = cache->health();
  EXPECT_TRUE(health.store_replaced_since.has_value());
  EXPECT_EQ(health.store_expected, "memory (incarnation 1)");
  EXPECT_EQ(health.store_met, "another (incarnation 2)");
  EXPECT_FALSE(health.all_working());
  cache->close(1s);
  cache = world.open();
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", kId)->document, "2");
}

TEST_F(WrongStore, outbox_waits_also_where_the_change_feed_is_switched_off_I1) {
  auto cache = open_wrong(false);
  EXPECT_FALSE(cache->flush(30s));
  EXPECT_EQ(wrong->rows(), 0u);
}

TEST_F(WrongStore, new_writes_wait_too_and_a_call_that_waits_for_the_store_is_told_I13) {
  auto cache = open_wrong();
  EXPECT_THROW(data(*cache).put("new", "1", {.durability = Durability::store, .deadline = 5s}),
               DeadlineExceeded);
  EXPECT_EQ(wrong->rows(), 0u);
}

TEST_F(WrongStore, one_call_says_that_it_is_meant) {
  auto cache = open_wrong();
  world.executor->run_for(5s);
  EXPECT_TRUE(cache->accept_store());
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(*wrong->row("test", kId)->document, "2");
  EXPECT_FALSE(cache->health().store_replaced_since.has_value());
  cache->close();
  cache = open_wrong();
  EXPECT_TRUE(cache->flush());
  EXPECT_FALSE(cache->health().store_replaced_since.has_value()) << "it is remembered";
}

TEST_F(WrongStore, what_was_not_taken_before_it_was_accepted_is_hydrated_then) {
  put_in_wrong("other", "9");
  auto cache = open_wrong();
  auto dataset = data(*cache);
  EXPECT_TRUE(cache->warm_up());
  EXPECT_FALSE(dataset.get("other", {.reach = Reach::local}).has_value());
  EXPECT_TRUE(cache->accept_store());
  EXPECT_TRUE(cache->warm_up());
  EXPECT_EQ(*dataset.get("other", {.reach = Reach::local}), "9");
}

TEST_F(WrongStore, which_one_is_meant_cannot_be_said_before_it_has_told_who_it_is) {
  wrong->set_fault([](const std::string&) { return StoreFault::unavailable; });
  auto cache = open_wrong();
  world.executor->run_for(5s);
  EXPECT_FALSE(cache->accept_store());
}

TEST_F(WrongStore, scrub_of_one_dataset_takes_nothing_and_one_of_all_does) {
  auto cache = world.open();
  data(*cache).put("s", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  put_in_wrong("s", "9");
  put_in_wrong("k", "9");
  cache = open_wrong();
  data(*cache);
  world.executor->run_for(3s);
  const ScrubReport part = cache->scrub({.dataset = "d", .repair = true});
  EXPECT_EQ(part.store_ahead, 2u);
  EXPECT_EQ(part.failed, 2u);
  EXPECT_EQ(part.repaired, 0u);
  EXPECT_NE(part.why.find("belongs to another store"), std::string::npos);
  EXPECT_EQ(*data(*cache).get("s", {.reach = Reach::local}), "1");
  const ScrubReport all = cache->scrub({.repair = true});
  EXPECT_EQ(all.repaired, 2u) << all.to_string();
  EXPECT_EQ(*data(*cache).get("s", {.reach = Reach::local}), "9");
  EXPECT_FALSE(cache->health().store_replaced_since) << "a scrub of all says that it is meant";
}

TEST_F(WrongStore, scrub_of_a_part_or_cut_short_does_not_say_that_it_is_meant_I1) {
  auto cache = open_wrong();
  data(*cache);
  cache->dataset("e", {.keyed = true});
  world.executor->run_for(3s);
  EXPECT_TRUE(cache->scrub({.dataset = "e", .repair = true}).complete);
  EXPECT_TRUE(cache->health().store_replaced_since);
  EXPECT_FALSE(cache->scrub({.repair = true, .deadline = 0ms}).complete);
  EXPECT_TRUE(cache->health().store_replaced_since);
  EXPECT_TRUE(cache->scrub({}).complete);
  EXPECT_TRUE(cache->health().store_replaced_since) << "without repair";
}

// The reader has a stale entry in hand, and waits a little for what the store has.
TEST_F(WrongStore, erase_that_a_reader_meets_there_is_not_kept_I4) {
  auto cache = world.open();
  data(*cache).put("s", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  Entry tombstone;
  tombstone.kind = EntryKind::tombstone;
  tombstone.version = {~std::uint64_t{0} >> 2, 9};
  wrong->put_row("test", {"d", "s"}, tombstone);
  cache = open_wrong(false);
  auto patient = cache->dataset("d", {.keyed = true,
                                      .fresh_for = 1min,
                                      .stale_for = 24h * 365,
                                      .soft_timeout = 100ms,
                                      .hydrate = Hydrate::none()});
  world.executor->run_for(2min);
  EXPECT_TRUE(patient.get("s", {.reach = Reach::store}).gone());
  world.executor->run_for(1s);
  EXPECT_EQ(*patient.get("s", {.reach = Reach::local}), "1");
}

TEST_F(WrongStore, nothing_that_it_has_is_kept) {
  put_in_wrong("k", "\"wrong\"");
  put_in_wrong("only there", "\"wrong\"");
  auto cache = open_wrong();
  auto opened = data(*cache);
  world.executor->run_for(30s);
  EXPECT_EQ(*opened.get("k"), "2") << "what is here is served as before";
  EXPECT_EQ(*opened.get("only there"), "\"wrong\"") << "it was asked for, and is read from there";
  world.executor->run_for(30s);
  cache->close(1s);
  cache = world.open();
  EXPECT_EQ(*data(*cache).get("k"), "2");
  EXPECT_FALSE(data(*cache).get("only there").has_value());
}

TEST_F(WrongStore, what_it_has_erased_stays_here_I4) {
  Entry tombstone;
  tombstone.kind = EntryKind::tombstone;
  tombstone.version = {~std::uint64_t{0} >> 2, 9};
  wrong->put_row("test", kId, tombstone);
  auto cache = open_wrong();
  auto opened = data(*cache);
  world.executor->run_for(30s);
  opened.get("k", {.max_stale = 0ms});
  cache->close(1s);
  cache = world.open();
  EXPECT_EQ(*data(*cache).get("k"), "2");
}

}  // namespace
}  // namespace tiercache::testing
