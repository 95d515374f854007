// Puts the writes of all processes on one directory into one order, key by key, by what they share in
// memory: the newest time stamped so far, and who has a write that is not in its file yet.
//
// Keys share a place, as in `Generations`; a write of one then also waits for those of a few others.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/annotations.h"
#include "base/generations.h"
#include "base/mutex.h"

namespace tiercache {

// Thread-safe.
class WriteOrder {
 public:
  // Of 32 bits, behind those of `Generations`.
  static constexpr std::size_t kCells = 4 * Generations::kCounters;
  // Processes beyond so many are not waited for.
  static constexpr std::uint64_t kSlots = 64;

  // `shared`: the counters of `Generations` with `kCells` behind them, or null: alone. `slot`: this
  // cache's number among those that have the directory open.
  WriteOrder(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  // The same with the counters of a directory that was made anew, in which this cache may have another
  // slot. Comparisons under way meanwhile may miss a write of another process.
  void share(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  static std::size_t place(std::uint64_t hash) { return Generations::place(hash); }

  // A `Version::time` of at least `at_least` and above all that were given for the place, here or
  // elsewhere. What lies an hour above `at_least` is no time that anyone was given, but damage.
  std::uint64_t stamp(std::uint64_t hash, std::uint64_t at_least);

  // A write of the place is under way here, until `settle` finds it in its file.
  void begin(std::uint64_t hash);
  // Until `let_go` this process is seen as if it had a write under way there. Of those who wait for each
  // other all but the one that goes first let go meanwhile.
  void hold(std::uint64_t hash);
  void let_go(std::uint64_t hash);
  // The slots of others, a bit each, that have a write under way there. What was stamped before this
  // was asked and is not among them is in its file.
  std::uint64_t others(std::uint64_t hash) const;
  // The lowest slot that is there goes first.
  bool goes_first(std::uint64_t hash) const { return (others(hash) & (own_bit_.load() - 1)) == 0; }

  // Others need not wait any longer for what was under way and is not in `busy()`, which must see every
  // write that began before it was asked; nullopt: that cannot be said just now. False: some is left.
  using Places = std::set<std::size_t>;
  bool settle(const std::function<std::optional<Places>()>& busy);
  // The slot's owner died, and what it had under way was brought to the files.
  void forget(std::uint64_t slot);

 private:
  struct Mine {
    std::uint64_t change = 0;
    int holds = 0;
    bool writes = false;
  };
  std::uint64_t& word(std::size_t index) const;
  void show(std::size_t place, const Mine& mine) TIERCACHE_REQUIRES(mutex_);

  std::atomic<std::uint32_t*> shared_;
  std::atomic<std::uint64_t> own_bit_;  // 0: beyond `kSlots`
  mutable Mutex mutex_;
  // The last one is in use; others may still be at those before.
  std::vector<std::shared_ptr<std::uint32_t>> mapped_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<std::size_t, Mine> mine_ TIERCACHE_GUARDED_BY(mutex_);
  std::uint64_t changes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
