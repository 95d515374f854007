#include "base/write_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tiercache/version.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kBelievedAhead = std::uint64_t{3'600'000} << Version::kCounterBits;

}  // namespace

WriteOrder::WriteOrder(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot)
    : shared_(nullptr), own_bit_(0), slot_(kSlots) {
  share(or_private(std::move(shared), Generations::kCounters + kCells), slot);
}

void WriteOrder::share(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot) {
  Lock lock(mutex_);
  inherits_ = false;
  for (const auto& [place, mine] : mine_) show(place, {});  // clears the bits of the old slot
  if (shared_ != nullptr) word(kWritesAll).fetch_and(~own_bit_.load());
  shared_ = shared.get();
  mapped_.push_back(std::move(shared));
  own_bit_ = slot < kSlots ? std::uint64_t{1} << slot : 0;
  slot_ = slot;
  inherits_ = is_under_way(slot);  // an earlier owner was killed
  if (slot < kSlots) word(kFiledUpTo + slot).store(0);
  for (const auto& [place, mine] : mine_) show(place, mine);
  show_all();
}

std::atomic_ref<std::uint64_t> WriteOrder::word(std::size_t index) const {
  return std::atomic_ref<std::uint64_t>(reinterpret_cast<std::uint64_t*>(
      shared_.load(std::memory_order_acquire) + Generations::kCounters)[index]);
}

// --- Times ---

std::uint64_t WriteOrder::stamp(std::uint64_t hash, std::uint64_t at_least) {
  const std::atomic_ref<std::uint64_t> newest = word(place(hash));
  const std::uint64_t slot = slot_.load();
  std::uint64_t seen = newest.load();
  std::uint64_t time = 0;
  do {
    const bool believed = seen < at_least + kBelievedAhead;
    time = believed ? std::max(at_least, seen + 1) : at_least;
    // If the clock was set back, the new time may be one that this slot has called filed. That must
    // be withdrawn before others can see the time.
    if (slot < kSlots && word(kFiledUpTo + slot).load() >= time) word(kFiledUpTo + slot).store(0);
  } while (!newest.compare_exchange_weak(seen, time));
  return time;
}

std::uint64_t WriteOrder::stamp_all(std::uint64_t at_least) {
  std::uint64_t time = at_least;
  for (std::size_t i = 0; i < Generations::kCounters; ++i) {
    const std::uint64_t seen = word(i).load();
    if (seen >= time && seen < at_least + kBelievedAhead) time = seen + 1;
  }
  for (std::size_t i = 0; i < Generations::kCounters; ++i) {
    const std::atomic_ref<std::uint64_t> newest = word(i);
    std::uint64_t seen = newest.load();
    // A time above it that was given meanwhile belongs to a write that comes after it.
    const auto below = [&] { return seen < time || seen >= at_least + kBelievedAhead; };
    while (below() && !newest.compare_exchange_weak(seen, time)) {
    }
  }
  return time;
}

// --- Who is under way ---

void WriteOrder::show(std::size_t place, const Mine& mine) {
  const std::atomic_ref<std::uint64_t> bits = word(kUnderWay + place);
  if (mine.holds > 0 || mine.writes) {
    bits.fetch_or(own_bit_.load());
  } else if (!inherits_) {
    bits.fetch_and(~own_bit_.load());
  }
}

void WriteOrder::show_all() {
  if (writes_of_all_ > 0) {
    word(kWritesAll).fetch_or(own_bit_.load());
  } else if (!inherits_) {
    word(kWritesAll).fetch_and(~own_bit_.load());
  }
}

bool WriteOrder::is_under_way(std::uint64_t slot) const {
  if (slot >= kSlots) return false;
  const std::uint64_t bit = std::uint64_t{1} << slot;
  for (std::size_t i = kUnderWay; i <= kWritesAll; ++i) {
    if ((word(i).load() & bit) != 0) return true;
  }
  return false;
}

void WriteOrder::take_over() {
  Lock lock(mutex_);
  if (!std::exchange(inherits_, false)) return;
  for (std::size_t place = 0; place < Generations::kCounters; ++place) {
    const bool set = (word(kUnderWay + place).load() & own_bit_.load()) != 0;
    if (set && !mine_.contains(place)) show(place, {});
  }
  show_all();
}

void WriteOrder::begin(std::uint64_t hash) {
  Lock lock(mutex_);
  Mine& mine = mine_[place(hash)];
  mine.change = ++changes_;
  mine.writes = true;
  show(place(hash), mine);
}

void WriteOrder::hold(std::uint64_t hash) {
  Lock lock(mutex_);
  Mine& mine = mine_[place(hash)];
  ++mine.holds;
  show(place(hash), mine);
}

void WriteOrder::let_go(std::uint64_t hash) {
  Lock lock(mutex_);
  const auto mine = mine_.find(place(hash));
  if (mine == mine_.end() || mine->second.holds == 0) return;
  --mine->second.holds;
  show(mine->first, mine->second);
  if (mine->second.holds == 0 && !mine->second.writes) mine_.erase(mine);
}

void WriteOrder::begin_all() {
  Lock lock(mutex_);
  ++writes_of_all_;
  show_all();
}

void WriteOrder::end_all() {
  Lock lock(mutex_);
  --writes_of_all_;
  show_all();
}

std::uint64_t WriteOrder::others(std::uint64_t hash) const {
  return (word(kUnderWay + place(hash)).load() | word(kWritesAll).load()) & ~own_bit_.load();
}

bool WriteOrder::goes_first(std::uint64_t hash) const {
  if ((word(kWritesAll).load() & ~own_bit_.load()) != 0) return false;
  return (others(hash) & (own_bit_.load() - 1)) == 0;
}

std::vector<std::size_t> WriteOrder::all_places() {
  std::vector<std::size_t> places(Generations::kCounters);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

std::uint64_t WriteOrder::others_before(std::uint64_t time,
                                        std::vector<std::size_t>* places) const {
  std::uint64_t behind = 0;
  for (std::uint64_t slot = 0; slot < kSlots; ++slot) {
    if (word(kFiledUpTo + slot).load() < time) behind |= std::uint64_t{1} << slot;
  }
  behind &= ~own_bit_.load();
  std::uint64_t others = 0;
  std::erase_if(*places, [&](std::size_t place) {
    const std::uint64_t there = word(kUnderWay + place).load() & behind;
    others |= there;
    return there == 0;
  });
  return others;
}

bool WriteOrder::release_filed(std::uint64_t now,
                               const std::function<std::optional<Busy>()>& busy) {
  std::map<std::size_t, std::uint64_t> began;
  bool held = false;  // such a place may have a time that `busy` does not see
  {
    Lock lock(mutex_);
    for (const auto& [place, mine] : mine_) {
      if (mine.writes) began.emplace(place, mine.change);
      held = held || mine.holds > 0;
    }
  }
  if (began.empty()) return true;
  const std::optional<Busy> waiting = busy();
  if (!waiting) return false;
  bool all = true;
  Lock lock(mutex_);
  const std::uint64_t slot = slot_.load();
  if (!held && !inherits_ && slot < kSlots) {
    word(kFiledUpTo + slot).store(std::min(now, waiting->oldest - 1));
  }
  for (const auto& [place, change] : began) {
    const auto mine = mine_.find(place);
    if (waiting->places.contains(place) || mine == mine_.end() || mine->second.change != change) {
      all = false;
      continue;
    }
    mine->second.writes = false;
    show(place, mine->second);
    if (mine->second.holds == 0) mine_.erase(mine);
  }
  return all;
}

void WriteOrder::forget(std::uint64_t slot) {
  if (slot >= kSlots) return;
  const std::uint64_t bit = std::uint64_t{1} << slot;
  for (std::size_t i = kUnderWay; i <= kWritesAll; ++i) {
    const std::atomic_ref<std::uint64_t> bits = word(i);
    if ((bits.load() & bit) != 0) bits.fetch_and(~bit);
  }
  word(kFiledUpTo + slot).store(0);
}

}  // namespace tiercache
