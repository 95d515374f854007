// Promotion, eviction, write and erase of one key, step by step in every order there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using memory_test::resident;
using memory_test::tier_for;
using memory_test::version;

// A memory tier with room for one entry, over a lower tier that has one.
class Machine {
 public:
  using Step = std::function<void(Machine&)>;
  using Actor = std::vector<Step>;

  // Asks `seen`, looks into memory, which it trusts only while the file is behind, reads the
  // lower tier, promotes what it found there.
  static Actor reader(std::size_t number) {
    return {[=](Machine& m) { m.readers_[number].seen = m.tier_.seen(kA); },
            [=](Machine& m) { m.readers_[number].served = m.tier_.peek(kA).pinned; },
            [=](Machine& m) { m.readers_[number].found = m.lower_erased_ ? 0 : m.lower_; },
            [=](Machine& m) { m.promote(m.readers_[number]); }};
  }
  // Shows its document, writes its file, lets memory evict it.
  static Actor writer() {
    return {[](Machine& m) { m.put(); }, [](Machine& m) { m.change_lower(m.written_, false); },
            [](Machine& m) { m.tier_.unpin(kA, version(m.written_)); }};
  }
  // A matching erase: the lower tier first, then memory.
  static Actor eraser() {
    return {[](Machine& m) { m.change_lower(m.erased_ = ++m.newest_, true); },
            [](Machine& m) { m.forget(); }};
  }
  // Entries of other keys that push the key out.
  static Actor evictor() {
    return {[](Machine& m) { m.tier_.put(KeyRef(1, "b"), resident(1), {}, Pin::no); },
            [](Machine& m) { m.tier_.put(KeyRef(1, "c"), resident(1), {}, Pin::no); }};
  }

  // The version that memory shows; 0: none.
  std::uint64_t shown() const {
    const auto found = tier_.peek(kA);
    return found.resident ? found.resident->entry.version.time : 0;
  }
  // What was acknowledged: nothing older may be shown.
  std::uint64_t floor() const { return floor_; }
  // Nothing but what the lower tier says may stay.
  bool ended_well() const { return shown() == 0 || (!lower_erased_ && shown() == lower_); }

 private:
  using Pin = MemoryTier::Pin;

  struct Reader {
    MemoryTier::Seen seen;
    bool served = false;  // by memory
    std::uint64_t found = 0;
  };

  void promote(const Reader& reader) {
    if (reader.served || reader.found == 0) return;
    tier_.promote(kA, resident(reader.found), {}, reader.seen);
  }
  void put() {
    written_ = ++newest_;
    tier_.put(kA, resident(written_), {}, Pin::yes);
    floor_ = std::max(floor_, written_);
  }
  void change_lower(std::uint64_t to, bool erased) {
    if (to < lower_) return;
    lower_ = to;
    lower_erased_ = erased;
  }
  void forget() {
    tier_.remove_matching(1, version(erased_), [](std::string_view key) { return key == "a"; });
    floor_ = std::max(floor_, erased_);
  }

  static inline const KeyRef kA{1, "a"};
  MemoryTier tier_ = tier_for(1);
  std::uint64_t newest_ = 1;
  std::uint64_t lower_ = 1;
  bool lower_erased_ = false;
  std::uint64_t written_ = 0;
  std::uint64_t erased_ = 0;
  std::uint64_t floor_ = 0;
  Reader readers_[2];
};

// Runs the actors' steps in every order that keeps each one's own; returns how many there are.
std::uint64_t run_all_orders(const std::vector<Machine::Actor>& actors) {
  std::vector<std::size_t> order;
  for (std::size_t actor = 0; actor < actors.size(); ++actor) {
    order.insert(order.end(), actors[actor].size(), actor);
  }
  std::uint64_t orders = 0;
  do {
    ++orders;
    Machine machine;
    std::vector<std::size_t> done(actors.size());
    std::string told;
    for (const std::size_t actor : order) {
      actors[actor][done[actor]++](machine);
      told += std::to_string(actor);
      const std::uint64_t shown = machine.shown();
      if (shown != 0 && shown < machine.floor()) {
        ADD_FAILURE() << "after steps of " << told << ": " << shown << " shown, " << machine.floor()
                      << " was acknowledged";
        return orders;
      }
    }
    if (!machine.ended_well()) {
      ADD_FAILURE() << "after all steps, " << told << ": memory is not the lower tier";
      return orders;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return orders;
}

TEST(MemoryTierInterleaving, promotions_eviction_and_write_in_every_order_I3) {
#ifdef TIERCACHE_SANITIZED
  GTEST_SKIP() << "one thread, and minutes of it with a sanitizer";
#endif
  EXPECT_EQ(run_all_orders(
                {Machine::reader(0), Machine::reader(1), Machine::writer(), Machine::evictor()}),
            900'900u);
}

TEST(MemoryTierInterleaving, promotion_eviction_write_and_erase_in_every_order_I3_I4) {
  EXPECT_EQ(run_all_orders(
                {Machine::reader(0), Machine::writer(), Machine::eraser(), Machine::evictor()}),
            69'300u);
}

}  // namespace
}  // namespace tiercache
