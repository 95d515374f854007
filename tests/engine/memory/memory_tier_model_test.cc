// The tier beside a model so simple that it is right by reading: a map and a list, one shard.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "engine/memory/residents.h"
#include "memory/memory_tier.h"

namespace tiercache {
namespace {

using memory_test::resident;
using memory_test::until;
using memory_test::version;
using Pin = MemoryTier::Pin;
using Id = std::pair<std::uint32_t, std::string>;

class Model {
 public:
  struct Held {
    detail::ResidentPtr resident;
    Ticks trusted_until = 0;
    std::size_t charge = 0;
    bool pinned = false;
    Version pinned_for;
    std::uint64_t written_at = 0;
  };

  explicit Model(std::size_t budget) : budget_(budget) {}

  const std::map<Id, Held>& held() const { return held_; }
  std::uint64_t writes() const { return writes_; }

  void find(const Id& id) {
    if (const auto at = held_.find(id); at != held_.end() && !at->second.pinned) use(id);
  }

  bool put(const Id& id, detail::ResidentPtr in, Ticks trusted_until, Pin pin) {
    const auto at = held_.find(id);
    if (at != held_.end() && at->second.resident->entry.version > in->entry.version) return false;
    ++writes_;
    const std::uint64_t floor_if_not_kept = writes_;
    if (!take_in(id, std::move(in), trusted_until, pin, writes_)) floor_ = floor_if_not_kept;
    return true;
  }

  bool promote(const Id& id, detail::ResidentPtr in, Ticks trusted_until, std::uint64_t seen) {
    const auto at = held_.find(id);
    const std::uint64_t written_at = at == held_.end() ? floor_ : at->second.written_at;
    if (written_at > seen) return false;
    if (at != held_.end() && at->second.resident->entry.version > in->entry.version) return false;
    take_in(id, std::move(in), trusted_until, Pin::no, written_at);
    return true;
  }

  void renew(const Id& id, const detail::Resident* of, Ticks trusted_until) {
    const auto at = held_.find(id);
    if (at != held_.end() && at->second.resident.get() == of) {
      at->second.trusted_until = trusted_until;
    }
  }

  void unpin(const Id& id, Version of) {
    const auto at = held_.find(id);
    if (at == held_.end() || !at->second.pinned || at->second.pinned_for > of) return;
    const bool over = bytes() > budget_;
    at->second.pinned = false;
    use(id);
    if (over) leave(id);
  }

  void remove(const Id& id, Version up_to) {
    const auto at = held_.find(id);
    if (at != held_.end() && at->second.resident->entry.version > up_to) return;
    leave(id);
    floor_ = ++writes_;
  }

  std::size_t remove_matching(std::uint32_t dataset, Version below, char last) {
    floor_ = ++writes_;
    std::vector<Id> leaving;
    for (const auto& [id, held] : held_) {
      if (id.first == dataset && held.resident->entry.version < below && id.second.back() == last) {
        leaving.push_back(id);
      }
    }
    for (const Id& id : leaving) leave(id);
    return leaving.size();
  }

  std::size_t bytes(bool pinned_only = false) const {
    std::size_t sum = 0;
    for (const auto& [id, held] : held_) sum += held.pinned || !pinned_only ? held.charge : 0;
    return sum;
  }

 private:
  bool take_in(const Id& id, detail::ResidentPtr in, Ticks trusted_until, Pin pin,
               std::uint64_t written_at) {
    const bool arrived = !held_.contains(id);
    Held next = arrived ? Held{} : held_[id];
    next.charge = MemoryTier::charge(id.second, *in);
    next.resident = std::move(in);
    next.trusted_until = trusted_until;
    next.written_at = written_at;
    if (pin == Pin::yes) next.pinned_for = next.resident->entry.version;
    next.pinned |= pin == Pin::yes;
    if (!next.pinned && bytes(true) + next.charge > budget_) {
      leave(id);
      return false;
    }
    held_[id] = next;
    use(id);
    while (bytes() > budget_ && evict_last(id)) {
    }
    if (arrived) held_[id].written_at = std::max(written_at, floor_);
    return true;
  }

  bool evict_last(const Id& spared) {
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
      if (held_[*id].pinned || *id == spared) continue;
      leave(Id(*id));
      return true;
    }
    return false;
  }

  void use(const Id& id) {
    order_.remove(id);
    order_.push_front(id);
  }

  void leave(const Id& id) {
    if (const auto at = held_.find(id); at != held_.end()) {
      floor_ = std::max(floor_, at->second.written_at);
      held_.erase(at);
    }
    order_.remove(id);
  }

  std::size_t budget_;
  std::map<Id, Held> held_;
  std::list<Id> order_;  // most recently used first
  std::uint64_t writes_ = 0, floor_ = 0;
};

// Drives both with one sequence of random calls and compares everything after each.
class Pair {
 public:
  Pair(std::uint64_t seed, std::size_t budget) : random_(seed), tier_(budget, 1), model_(budget) {
    for (std::uint32_t i = 0; i < 48; ++i) {
      const std::size_t padding = i % 4 == 0 ? 60 : i % 4;
      ids_.emplace_back(i % 3, std::string(padding, 'k') + std::to_string(i));
    }
  }

  void step() {
    ++now_;
    const Id& id = ids_[random_.below(ids_.size())];
    const KeyRef key(id.first, id.second);
    // In parts of 32. Pins go about as often as they come, so that all fillings are seen.
    const auto chance = random_.below(32);
    if (chance < 8) {
      find(id, key);
    } else if (chance < 16) {
      put(id, key);
    } else if (chance < 18) {
      seen_before_.push_back(tier_.seen(key).writes);
    } else if (chance < 23) {
      promote(id, key);
    } else if (chance < 25) {
      renew(id, key);
    } else if (chance < 28) {
      unpin(random_.below(2) == 0 ? id : some_pinned(id));
    } else if (chance < 31) {
      remove(id, key);
    } else {
      remove_matching(id.first);
    }
  }

  void compare() const {
    const MemoryStats stats = tier_.stats();
    ASSERT_EQ(stats.entries, model_.held().size());
    ASSERT_EQ(stats.bytes_charged, model_.bytes());
    ASSERT_EQ(stats.bytes_pinned, model_.bytes(true));
    ASSERT_TRUE(stats.bytes_charged <= tier_.max_bytes() ||
                stats.bytes_charged == stats.bytes_pinned)
        << "I8";
    for (const Id& id : ids_) {
      const auto found = tier_.peek(KeyRef(id.first, id.second));
      const auto held = model_.held().find(id);
      ASSERT_EQ(found.resident != nullptr, held != model_.held().end()) << id.second;
      if (found.resident == nullptr) continue;
      ASSERT_EQ(found.resident, held->second.resident);
      ASSERT_EQ(found.lifetimes.trusted_until, held->second.trusted_until);
      ASSERT_EQ(found.pinned, held->second.pinned);
    }
  }

 private:
  Version some_version() { return version(1 + now_ / 4 + random_.below(20)); }

  detail::ResidentPtr some_resident() {
    const std::size_t size = random_.below(12) == 0 ? random_.below(12'000) : random_.below(600);
    return resident(some_version(), std::string(size, ' '));
  }

  void find(const Id& id, const KeyRef& key) {
    tier_.find(key);
    model_.find(id);
  }
  void put(const Id& id, const KeyRef& key) {
    const auto in = some_resident();
    const Pin pin = random_.below(6) == 0 ? Pin::yes : Pin::no;
    ASSERT_EQ(tier_.put(key, in, until(now_), pin), model_.put(id, in, now_, pin));
  }
  void promote(const Id& id, const KeyRef& key) {
    const auto in = some_resident();
    std::uint64_t seen = tier_.seen(key).writes;
    ASSERT_EQ(seen, model_.writes());
    if (!seen_before_.empty() && random_.below(2) == 0) {
      seen = seen_before_[seen_before_.size() - 1 -
                          random_.below(std::min<std::size_t>(seen_before_.size(), 5))];
    }
    ASSERT_EQ(tier_.promote(key, in, until(now_), {.writes = seen}),
              model_.promote(id, in, now_, seen));
  }
  void renew(const Id& id, const KeyRef& key) {
    const auto found = tier_.peek(key);
    const auto other = some_resident();
    const detail::Resident* of = random_.below(2) == 0 ? found.resident.get() : other.get();
    tier_.renew(key, of, until(now_), {});
    model_.renew(id, of, now_);
  }
  Id some_pinned(const Id& otherwise) {
    std::vector<Id> pinned;
    for (const auto& [id, held] : model_.held()) {
      if (held.pinned) pinned.push_back(id);
    }
    return pinned.empty() ? otherwise : pinned[random_.below(pinned.size())];
  }
  void unpin(const Id& id) {
    const KeyRef key(id.first, id.second);
    const auto found = tier_.peek(key);
    const Version of =
        found.resident && random_.below(2) == 0 ? found.resident->entry.version : some_version();
    tier_.unpin(key, of);
    model_.unpin(id, of);
  }
  void remove(const Id& id, const KeyRef& key) {
    const Version up_to = some_version();
    tier_.remove(key, up_to);
    model_.remove(id, up_to);
  }
  void remove_matching(std::uint32_t dataset) {
    const Version below = some_version();
    const char last = static_cast<char>('0' + random_.below(10));
    const auto matches = [&](std::string_view key) { return key.back() == last; };
    ASSERT_EQ(tier_.remove_matching(dataset, below, matches),
              model_.remove_matching(dataset, below, last));
  }

  Random random_;
  MemoryTier tier_;
  Model model_;
  std::vector<Id> ids_;
  std::vector<std::uint64_t> seen_before_;
  Ticks now_ = 0;
};

class MemoryTierModel : public testing::TestWithParam<std::tuple<std::uint64_t, std::size_t>> {};

TEST_P(MemoryTierModel, random_calls_leave_tier_and_model_equal_I3_I8) {
  const auto [seed, budget] = GetParam();
  Pair pair(seed, budget);
  for (int step = 0; step < 4'000; ++step) {
    pair.step();
    pair.compare();
    if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(SeedsAndBudgets, MemoryTierModel,
                         testing::Combine(testing::Range<std::uint64_t>(1, 9),
                                          testing::Values<std::size_t>(0, 2'000, 12'000, 1 << 20)));

}  // namespace
}  // namespace tiercache
