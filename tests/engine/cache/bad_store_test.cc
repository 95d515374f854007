// Stores that break the port's contract: the cache goes on.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

TEST(StoreThatThrows, counts_as_unavailable_until_it_works_again_I1_I7) {
  World world;
  world.store->on_call([](const std::string&) { throw std::runtime_error("out of order"); });
  auto cache = world.open();
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(1min);
  EXPECT_FALSE(data.get("absent").has_value());
  data.put("k", "1");
  world.executor->run_for(10min);
  EXPECT_FALSE(data.get("absent").has_value());
  EXPECT_FALSE(cache->health().store.working);
  EXPECT_NE(cache->health().store.why.find("out of order"), std::string::npos);
  world.store->on_call({});
  world.executor->run_for(10min);
  EXPECT_TRUE(cache->health().store.working);
  EXPECT_EQ(cache->health().outbox_depth, 0u);
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "1");
}

TEST(StoreThatThrows, fails_a_probe_and_does_not_keep_its_permit_I7) {
  World world;
  auto cache = world.open([](CacheOptions& all) { all.store_calls.poll_every = 0ms; });
  auto data = cache->dataset("d", hydrated_whole());
  world.executor->run_for(1s);
  world.store_down();
  EXPECT_FALSE(data.get("k").has_value());
  world.store_up();
  world.store->on_call([](const std::string&) { throw std::runtime_error("out of order"); });
  world.clock->advance(1h);
  EXPECT_FALSE(data.get("k").has_value()) << "the probe";
  world.store->on_call({});
  world.clock->advance(1h);
  Entry entry;
  entry.version.time = 1;
  entry.document = std::make_shared<const std::string>("1");
  entry.checksum = Checksum::of(*entry.document);
  entry.clocks.last_fetch = world.clock->wall_now();
  world.store->put_row("test", {"d", "k"}, entry);
  EXPECT_EQ(*data.get("k"), "1");
}

// Says nothing of corrupt rows, as one that cannot have any may.
class TerseStore final : public Store {
 public:
  explicit TerseStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  std::string describe() const override { return "terse"; }
  StoreLimits limits() const override { return store_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    LoadReply reply = store_->load(project, ids, deadline);
    std::vector<bool>().swap(reply.corrupt);
    return reply;
  }
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    return store_->save(project, writes, deadline);
  }
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return store_->scan(project, dataset, cursor, limit, deadline);
  }
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    return store_->erase_matching(project, erase, deadline);
  }

 private:
  const std::shared_ptr<Store> store_;
};

TEST(TerseStore, rows_of_a_store_that_tells_of_no_corrupt_ones_are_read) {
  World world;
  auto cache =
      world.open([&](CacheOptions& all) { all.store = std::make_shared<TerseStore>(world.store); });
  auto data = cache->dataset("d", hydrated_whole());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  cache->close();
  world.wipe();
  auto options = hydrated_whole();
  options.hydrate = Hydrate::none();
  cache =
      world.open([&](CacheOptions& all) { all.store = std::make_shared<TerseStore>(world.store); });
  auto again = cache->dataset("d", options);
  EXPECT_EQ(*again.get("k"), "1");
}

// Breaks its promises, one at a time.
class LyingStore final : public Store {
 public:
  explicit LyingStore(std::shared_ptr<MemoryStore> store) : store_(std::move(store)) {}
  std::string describe() const override { return "lying"; }
  StoreLimits limits() const override { return store_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    LoadReply reply = store_->load(project, ids, deadline);
    if (on_load) on_load(reply);
    return reply;
  }
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    SaveReply reply = store_->save(project, writes, deadline);
    if (on_save) on_save(reply);
    return reply;
  }
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    ScanReply reply = store_->scan(project, dataset, cursor, limit, deadline);
    if (on_scan) on_scan(reply);
    return reply;
  }
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    EraseMatchingReply reply = store_->erase_matching(project, erase, deadline);
    reply.next = erase_next;
    return reply;
  }
  bool has_changes() const override { return true; }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override {
    ++polls;
    ChangesReply reply = store_->changes(project, cursor, limit, deadline);
    if (always_more) {
      reply.more = true;
      reply.next = cursor.empty() ? "place" : cursor;
      reply.changes.clear();
      reply.gap = false;
    }
    return reply;
  }

  std::function<void(LoadReply&)> on_load;
  std::function<void(SaveReply&)> on_save;
  std::function<void(ScanReply&)> on_scan;
  std::optional<std::string> erase_next;
  bool always_more = false;
  int polls = 0;

 private:
  const std::shared_ptr<MemoryStore> store_;
};

EntryPtr altered(const EntryPtr& entry, const std::function<void(Entry&)>& alter) {
  if (!entry) return nullptr;
  auto copy = std::make_shared<Entry>(*entry);
  alter(*copy);
  return copy;
}

class StoreThatLies : public ::testing::Test {
 protected:
  std::unique_ptr<Cache> open() {
    return world.open([this](CacheOptions& all) { all.store = lying; });
  }
  // A row that no cache here has.
  void put_row(const std::string& key) {
    Entry entry;
    entry.version.time = 5 << Version::kCounterBits;
    entry.document = std::make_shared<std::string>("1");
    entry.checksum = Checksum::of("1");
    entry.clocks.last_fetch = world.clock->wall_now();
    world.store->put_row("test", {"d", key}, entry);
  }

  // What the store last said of a write that it does not confirm.
  static std::string why_not_stored(Dataset<JsonText>& data) {
    try {
      data.put("k", "1", {.durability = Durability::store, .deadline = 5s});
    } catch (const DeadlineExceeded& error) {
      const std::string details = error.details();
      return details.substr(std::min(details.size(), details.find("the store contradicts")));
    }
    return "(stored)";
  }
  // How many files in the quarantine end with this text.
  std::size_t kept_aside(const std::string& text) {
    std::size_t count = 0;
    for (const std::string& path : world.disk.files()) {
      std::string bytes;
      const bool read = path.find("/quarantine/") != std::string::npos;
      count += read && world.disk.read(path, &bytes) && bytes.ends_with(text) ? 1 : 0;
    }
    return count;
  }

  World world;
  std::shared_ptr<LyingStore> lying = std::make_shared<LyingStore>(world.store);
};

TEST_F(StoreThatLies, entry_whose_bytes_do_not_hold_is_corrupt_and_not_served_I2_I9) {
  put_row("k");
  const auto spoil = [&](const std::function<void(Entry&)>& alter) {
    lying->on_load = [alter](LoadReply& reply) {
      for (EntryPtr& entry : reply.entries) entry = altered(entry, alter);
      reply.corrupt = {};  // it knows of none
      reply.corrupt_text = {};
    };
    auto cache = open();
    auto options = hydrated_whole();
    options.hydrate = Hydrate::none();
    const auto read = cache->dataset("d", options).get("k");
    EXPECT_FALSE(read.has_value());
    EXPECT_EQ(read.passage().store, TierAnswer::corrupt);
    world.executor->run_ready();
    cache->close();
  };
  spoil([](Entry& entry) { entry.checksum = {}; });
  spoil([](Entry& entry) { entry.metadata = "nonsense"; });
  spoil([](Entry& entry) { entry.document = std::make_shared<std::string>("{"); });
  spoil([](Entry& entry) { entry.document.reset(); });
  spoil([](Entry& entry) { entry.kind = EntryKind::tombstone; });
  spoil([](Entry& entry) { entry.kind = static_cast<EntryKind>(77); });
  EXPECT_EQ(kept_aside("\n{"), 1u) << "the text that does not hold";
}

TEST_F(StoreThatLies, row_with_a_checksum_of_its_own_text_or_without_metadata_is_whole) {
  put_row("k");
  const auto served = [&](const std::function<void(Entry&)>& alter) {
    lying->on_load = [alter](LoadReply& reply) {
      for (EntryPtr& entry : reply.entries) entry = altered(entry, alter);
    };
    auto cache = open();
    auto options = hydrated_whole();
    options.hydrate = Hydrate::none();
    const auto read = cache->dataset("d", options).get("k");
    const std::string text = read.has_value() ? *read : "nothing";
    cache->close();
    world.wipe();
    return text;
  };
  EXPECT_EQ(served([](Entry& entry) {
              entry.document = std::make_shared<std::string>("1 ");
              entry.text_checksum = Checksum::of("1 ");
            }),
            "1 ");
  EXPECT_EQ(served([](Entry& entry) { entry.metadata.clear(); }), "1");
}

TEST_F(StoreThatLies, more_or_fewer_rows_than_were_asked_for_are_no_answer) {
  put_row("k");
  lying->on_load = [](LoadReply& reply) { reply.entries.push_back(reply.entries.front()); };
  auto cache = open();
  auto options = hydrated_whole();
  options.hydrate = Hydrate::none();
  auto data = cache->dataset("d", options);
  const auto read = data.get("k");
  EXPECT_FALSE(read.has_value());
  EXPECT_EQ(read.passage().store_why, "the store contradicts itself: 2 entries for 1 key");
  lying->on_load = {};
  world.executor->run_for(1min);
  EXPECT_TRUE(data.get("k").has_value());
}

TEST_F(StoreThatLies, more_or_fewer_results_than_writes_are_no_answer) {
  auto cache = open();
  auto data = cache->dataset("d", keyed_stale());
  lying->on_save = [](SaveReply& reply) { reply.results.push_back(reply.results.front()); };
  EXPECT_EQ(why_not_stored(data), "the store contradicts itself: 2 results for 1 write");
  lying->on_save = [](SaveReply& reply) { reply.results.clear(); };
  EXPECT_EQ(why_not_stored(data), "the store contradicts itself: 0 results for 1 write");
  lying->on_save = {};
  EXPECT_TRUE(cache->flush());
}

TEST_F(StoreThatLies, row_that_won_and_does_not_hold_is_not_taken_I2) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  lying->on_save = [this](SaveReply& reply) {
    for (SaveResult& result : reply.results) {
      const EntryPtr row = world.store->row("test", {"d", "k"});
      result = {SaveOutcome::superseded,
                altered(row,
                        [](Entry& entry) {
                          ++entry.version.time;
                          entry.checksum = {};
                        }),
                {}};
    }
  };
  EXPECT_EQ(why_not_stored(data),
            "the store contradicts itself: the row that won does not hold its checksum");
  EXPECT_EQ(*data.get("k"), "1");
  lying->on_save = {};
  EXPECT_TRUE(cache->flush());
}

TEST_F(StoreThatLies, write_that_lost_to_the_row_of_its_own_version_is_no_contradiction) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  lying->on_save = [this](SaveReply& reply) {
    for (SaveResult& result : reply.results) {
      result = {SaveOutcome::superseded, world.store->row("test", {"d", "k"}), {}};
    }
  };
  EXPECT_TRUE(data.put("k", "1", {.durability = Durability::store}).superseded);
  EXPECT_EQ(*data.get("k"), "1");
}

TEST_F(StoreThatLies, scan_that_does_not_move_on_is_left) {
  put_row("k");
  const EntryPtr row = world.store->row("test", {"d", "k"});
  lying->on_scan = [row](ScanReply& reply) {
    reply.status = StoreStatus::ok;
    reply.entries = {{{"d", "k"}, row}};
    reply.next = "the same";
  };
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  ASSERT_TRUE(cache->warm_up());
  EXPECT_EQ(world.store->calls("scan"), 2u);
  EXPECT_TRUE(data.info("k").has_value());
}

TEST_F(StoreThatLies, page_of_a_scan_is_taken_without_what_is_no_entry_I2) {
  put_row("k");
  lying->on_scan = [](ScanReply& reply) {
    reply.entries.push_back({{"d", "null"}, nullptr});
    Entry gone;
    gone.kind = EntryKind::tombstone;
    gone.version.time = 6 << Version::kCounterBits;
    reply.entries.push_back({{"d", "gone"}, std::make_shared<Entry>(gone)});
    if (!reply.entries.front().entry) return;
    reply.entries.push_back({{"d", "odd"}, altered(reply.entries.front().entry, [](Entry& entry) {
                               entry.document = std::make_shared<std::string>("{");
                             })});
  };
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  ASSERT_TRUE(cache->warm_up());
  EXPECT_TRUE(data.info("k").has_value());
  EXPECT_FALSE(data.info("odd").has_value());
  EXPECT_FALSE(data.get("gone", {.reach = Reach::local}).gone());
}

TEST_F(StoreThatLies, older_row_that_is_said_to_have_won_replaces_nothing_I3) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  const EntryPtr old = world.store->row("test", {"d", "k"});
  lying->on_save = [old](SaveReply& reply) {
    for (SaveResult& result : reply.results) result = {SaveOutcome::superseded, old, {}};
  };
  data.put("k", "2");
  EXPECT_FALSE(cache->flush(10s));
  EXPECT_EQ(*data.get("k"), "2");
  lying->on_save = {};
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(*world.store->row("test", {"d", "k"})->document, "2");
}

TEST_F(StoreThatLies, outcome_that_there_is_not_is_no_answer) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  lying->on_save = [](SaveReply& reply) {
    for (SaveResult& result : reply.results) result.outcome = static_cast<SaveOutcome>(77);
  };
  EXPECT_THROW(data.put("k", "1", {.durability = Durability::store, .deadline = 5s}),
               DeadlineExceeded);
  lying->on_save = {};
  EXPECT_TRUE(cache->flush());
}

TEST_F(StoreThatLies, pieces_and_pages_that_do_not_move_on_make_no_hot_loop) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  lying->erase_next = "a";
  data.erase_matching("*");
  world.executor->run_for(1min);
  EXPECT_LT(world.store->calls("erase_matching"), 40u);
  EXPECT_EQ(cache->stats().outbox_depth, 1u);
  lying->erase_next.reset();
  EXPECT_TRUE(cache->flush());
  lying->always_more = true;
  const int before = lying->polls;
  world.executor->run_for(1min);
  EXPECT_LT(lying->polls - before, 100);
}

TEST_F(StoreThatLies, reason_of_a_refusal_is_kept_at_a_readable_length_I8) {
  auto cache = open();
  auto data = cache->dataset("d", hydrated_whole());
  lying->on_save = [](SaveReply& reply) {
    for (SaveResult& result : reply.results) {
      result = {SaveOutcome::refused, nullptr, std::string(1 << 20, 'x')};
    }
  };
  data.put("k", "1");
  ASSERT_TRUE(cache->flush());
  ASSERT_EQ(cache->health().parked, 1u);
  EXPECT_LE(cache->outbox().list().writes.front().why.size(), 4'096u);
}

}  // namespace
}  // namespace tiercache::testing
