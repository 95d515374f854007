#include "base/write_order.h"

#include <algorithm>
#include <utility>

#include "tiercache/version.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kBelievedAhead = std::uint64_t{3'600'000} << Version::kCounterBits;

std::shared_ptr<std::uint32_t> or_private(std::shared_ptr<std::uint32_t> shared) {
  if (shared) return shared;
  return {new std::uint32_t[Generations::kCounters + WriteOrder::kCells]{},
          std::default_delete<std::uint32_t[]>()};
}

}  // namespace

WriteOrder::WriteOrder(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot)
    : shared_(nullptr), own_bit_(0) {
  share(or_private(std::move(shared)), slot);
}

void WriteOrder::share(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot) {
  Lock lock(mutex_);
  for (const auto& [place, mine] : mine_) show(place, {});  // under the number so far
  shared_ = shared.get();
  mapped_.push_back(std::move(shared));
  own_bit_ = slot < kSlots ? std::uint64_t{1} << slot : 0;
  forget(slot);  // of an earlier owner
  for (const auto& [place, mine] : mine_) show(place, mine);
}

// First the newest times, then the bits of who is under way.
std::uint64_t& WriteOrder::word(std::size_t index) const {
  return reinterpret_cast<std::uint64_t*>(shared_.load(std::memory_order_acquire) +
                                          Generations::kCounters)[index];
}

std::uint64_t WriteOrder::stamp(std::uint64_t hash, std::uint64_t at_least) {
  std::atomic_ref<std::uint64_t> newest(word(place(hash)));
  std::uint64_t seen = newest.load();
  std::uint64_t time = 0;
  do {
    const bool believed = seen < at_least + kBelievedAhead;
    time = believed ? std::max(at_least, seen + 1) : at_least;
  } while (!newest.compare_exchange_weak(seen, time));
  return time;
}

void WriteOrder::show(std::size_t place, const Mine& mine) {
  std::atomic_ref<std::uint64_t> bits(word(Generations::kCounters + place));
  if (mine.holds > 0 || mine.writes) {
    bits.fetch_or(own_bit_.load());
  } else {
    bits.fetch_and(~own_bit_.load());
  }
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

std::uint64_t WriteOrder::others(std::uint64_t hash) const {
  return std::atomic_ref<std::uint64_t>(word(Generations::kCounters + place(hash))).load() &
         ~own_bit_.load();
}

bool WriteOrder::settle(const std::function<std::optional<Places>()>& busy) {
  std::map<std::size_t, std::uint64_t> began;
  {
    Lock lock(mutex_);
    for (const auto& [place, mine] : mine_) {
      if (mine.writes) began.emplace(place, mine.change);
    }
  }
  if (began.empty()) return true;
  const std::optional<Places> waiting = busy();
  if (!waiting) return false;
  bool all = true;
  Lock lock(mutex_);
  for (const auto& [place, change] : began) {
    const auto mine = mine_.find(place);
    if (waiting->contains(place) || mine == mine_.end() || mine->second.change != change) {
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
  for (std::size_t i = 0; i < Generations::kCounters; ++i) {
    std::atomic_ref<std::uint64_t> bits(word(Generations::kCounters + i));
    if ((bits.load() & bit) != 0) bits.fetch_and(~bit);
  }
}

}  // namespace tiercache
