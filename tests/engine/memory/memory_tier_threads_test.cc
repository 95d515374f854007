// Threads that write, erase and promote at once from a lower tier that is always right. What is
// checked is what a reader may rely on: once a write or an erase has returned, nothing older is
// found.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using memory_test::resident;
using memory_test::version;
using Pin = MemoryTier::Pin;

class World {
 public:
  World(std::size_t max_bytes, unsigned shards) : tier_(max_bytes, shards) {
    for (std::size_t i = 0; i < kKeys; ++i) {
      // Some long enough for a block of their own.
      keys_[i].name = "key:" + std::string(i % 5 == 0 ? 40 : 0, 'x') + std::to_string(i);
    }
  }

  void run(std::uint64_t seed, int steps) {
    Random random(seed);
    for (int i = 0; i < steps && !failed_; ++i) {
      Key& key = keys_[random.below(4) == 0 ? random.below(4) : random.below(kKeys)];
      switch (random.below(64)) {
        case 0:
          erase(key);
          break;
        case 1:
          erase_matching();
          break;
        case 2:
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
        case 9:
          write(key, random.below(4) == 0 ? Pin::yes : Pin::no);
          break;
        default:
          read(key);
          break;
      }
    }
  }

  MemoryTier& tier() { return tier_; }
  bool failed() const { return failed_; }
  std::uint64_t promoted() const { return promoted_; }

  void check_at_rest() const {
    for (const Key& key : keys_) {
      const auto found = tier_.peek(ref(key));
      if (found.resident == nullptr) continue;
      EXPECT_EQ(found.resident->entry.version.time, key.stored.load()) << key.name;
      EXPECT_FALSE(found.pinned) << key.name;
    }
  }

 private:
  static constexpr std::size_t kKeys = 200;
  struct Key {
    std::string name;
    std::mutex writers;
    std::atomic<std::uint64_t> stored{0};    // the lower tier: the version there, 0 for none
    std::atomic<std::uint64_t> at_least{0};  // what is found from now on is not below this
  };

  static KeyRef ref(const Key& key) { return KeyRef(3, key.name); }

  detail::ResidentPtr content(const Key& key, std::uint64_t time) const {
    return resident(time, key.name + "@" + std::to_string(time));
  }

  void write(Key& key, Pin pin) {
    const std::lock_guard lock(key.writers);
    const std::uint64_t time = ++clock_;
    key.stored = time;
    if (!tier_.put(ref(key), content(key, time), {}, pin)) fail("a put lost to an older version");
    key.at_least = time;
    if (pin == Pin::yes) {
      const auto found = tier_.peek(ref(key));
      if (found.resident == nullptr || found.resident->entry.version.time < time) {
        fail("a pinned entry was gone");
      }
      tier_.unpin(ref(key), version(time));
    }
  }

  void erase(Key& key) {
    const std::lock_guard lock(key.writers);
    const std::uint64_t time = ++clock_;
    key.stored = 0;
    tier_.remove(ref(key), version(time));
    key.at_least = time + 1;
  }

  void erase_matching() {
    const auto matches = [](std::string_view name) { return name.back() == '7'; };
    std::vector<std::unique_lock<std::mutex>> locks;
    for (Key& key : keys_) {
      if (matches(key.name)) locks.emplace_back(key.writers);
    }
    const std::uint64_t time = ++clock_;
    for (Key& key : keys_) {
      if (matches(key.name)) key.stored = 0;
    }
    tier_.remove_matching(3, version(time), matches);
    for (Key& key : keys_) {
      if (matches(key.name)) key.at_least = time;
    }
  }

  void read(Key& key) {
    const std::uint64_t at_least = key.at_least;
    const auto found = tier_.find(ref(key));
    if (found.resident != nullptr) {
      check(key, *found.resident, at_least);
      return;
    }
    const auto seen = tier_.seen(ref(key));
    const std::uint64_t stored = key.stored;
    if (stored != 0 && tier_.promote(ref(key), content(key, stored), {}, seen)) ++promoted_;
  }

  void check(const Key& key, const detail::Resident& found, std::uint64_t at_least) {
    const std::uint64_t time = found.entry.version.time;
    if (*found.entry.document != key.name + "@" + std::to_string(time)) fail("a foreign value");
    if (time < at_least) fail("an older version than was written or erased before");
  }

  void fail(const char* why) {
    failed_ = true;
    ADD_FAILURE() << why;
  }

  MemoryTier tier_;
  std::array<Key, kKeys> keys_;
  std::atomic<std::uint64_t> clock_{0}, promoted_{0};
  std::atomic<bool> failed_{false};
};

class MemoryTierThreads : public testing::TestWithParam<unsigned> {};

TEST_P(MemoryTierThreads, nothing_older_is_found_after_a_write_or_erase_returned_I3_I4) {
  const std::size_t charge = MemoryTier::charge("key:100", *resident(1, std::string(30, ' ')));
  World world(60 * charge, GetParam());
  std::atomic<bool> over{false}, done{false};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&world, seed] { world.run(seed, 30'000); });
  }
  std::thread observer([&] {
    while (!done) {
      const MemoryStats stats = world.tier().stats();
      if (stats.bytes_charged - stats.bytes_pinned > world.tier().max_bytes()) over = true;
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  observer.join();
  EXPECT_FALSE(over) << "I8";
  EXPECT_GT(world.promoted(), 0u);
  EXPECT_GT(world.tier().stats().evictions, 0u);
  world.check_at_rest();
}

INSTANTIATE_TEST_SUITE_P(Shards, MemoryTierThreads, testing::Values(1u, 4u));

TEST(MemoryTier, readers_of_one_entry_see_every_value_whole_while_it_is_replaced) {
  MemoryTier tier(1 << 20);
  const KeyRef key(1, "hot");
  ASSERT_TRUE(tier.put(key, resident(1, std::string(64, '\1')), {}, Pin::no));
  std::atomic<bool> done{false}, torn{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!done) {
        const auto found = tier.find(key);
        const std::uint64_t time = found.resident->entry.version.time;
        const std::string& text = *found.resident->entry.document;
        if (time < last || text != std::string(64, static_cast<char>(time))) torn = true;
        last = time;
      }
    });
  }
  for (std::uint64_t time = 2; time < 20'000; ++time) {
    ASSERT_TRUE(
        tier.put(key, resident(time, std::string(64, static_cast<char>(time))), {}, Pin::no));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(torn);
}

}  // namespace
}  // namespace tiercache
