// Puts the writes of all processes on one directory into one order, key by key, by what they share
// in memory: the newest time stamped so far, and who has a write that is not in its file yet.
//
// Keys share a place, as in `Generations`; a write of one then also waits for those of a few
// others.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
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
  // Processes beyond so many are not waited for.
  static constexpr std::uint64_t kSlots = 64;
  // Of 32 bits, behind those of `Generations`.
  static constexpr std::size_t kCells = 4 * Generations::kCounters + 2 * (kSlots + 1);

  // `shared`: the counters of `Generations` with `kCells` behind them, or null: alone. `slot`: this
  // cache's number among those that have the directory open.
  WriteOrder(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  // The same with the counters of a directory that was made anew, in which this cache may have
  // another slot. Comparisons under way meanwhile may miss a write of another process.
  void share(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  static std::size_t place(std::uint64_t hash) { return Generations::place(hash); }

  // A `Version::time` of at least `at_least` and above all that were given for the place, here or
  // elsewhere. What lies an hour above `at_least` is no time that anyone was given, but damage.
  std::uint64_t stamp(std::uint64_t hash, std::uint64_t at_least);

  // A write of the place is under way here, until `settle` finds it in its file. Before it is
  // stamped: others could take it for one that is in its file.
  void begin(std::uint64_t hash);
  // Until `let_go` this process is seen as if it had a write under way there. Of those who wait for
  // each other all but the one that goes first let go meanwhile.
  void hold(std::uint64_t hash);
  void let_go(std::uint64_t hash);
  // The slots of others, a bit each, that have a write under way there. What was stamped before
  // this was asked and is not among them is in its file.
  std::uint64_t others(std::uint64_t hash) const;
  // The lowest slot that is there goes first; before all, who writes all places.
  bool goes_first(std::uint64_t hash) const;

  // A write of all places is under way here, until `end_all`; others see it at each of them. It
  // waits for `others_before`, and is not waited for by what comes after it without being compared.
  void begin_all();
  void end_all();
  // A `Version::time` as of `stamp`, above all that were given for any place; what is stamped
  // afterwards, wherever, is above it.
  std::uint64_t stamp_all(std::uint64_t at_least);
  // The slots of others that may have what was stamped before `time`, which `stamp_all` gave, and
  // is not in its file yet. `*places` are where to look, `all_places()` at first; those that are
  // done with are taken out.
  std::uint64_t others_before(std::uint64_t time, std::vector<std::size_t>* places) const;
  static std::vector<std::size_t> all_places();

  // What is not in its file yet.
  struct Busy {
    std::set<std::size_t> places;
    std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();  // of their times
  };
  // Others need not wait any longer for what was under way and is not in `busy()`, which must see
  // every write that began before it was asked; nullopt: that cannot be said just now. What is
  // stamped here from now on is above `now`. False: some is left.
  bool settle(std::uint64_t now, const std::function<std::optional<Busy>()>& busy);
  // The slot's owner died, and what it had under way was brought to the files.
  void forget(std::uint64_t slot);

 private:
  struct Mine {
    std::uint64_t change = 0;
    int holds = 0;
    bool writes = false;
  };
  // The shared memory, in words of 64 bits: the newest times, then the bits of who is under way,
  // place by place; the bits of who writes all places; for each slot up to which time all that it
  // stamped is filed.
  static constexpr std::size_t kUnderWay = Generations::kCounters;
  static constexpr std::size_t kWritesAll = 2 * Generations::kCounters;
  static constexpr std::size_t kFiledUpTo = kWritesAll + 1;

  std::atomic_ref<std::uint64_t> word(std::size_t index) const;
  void show_all() TIERCACHE_REQUIRES(mutex_);
  void show(std::size_t place, const Mine& mine) TIERCACHE_REQUIRES(mutex_);

  std::atomic<std::uint32_t*> shared_;
  std::atomic<std::uint64_t> own_bit_;  // 0: beyond `kSlots`
  std::atomic<std::uint64_t> slot_;
  mutable Mutex mutex_;
  // The last one is in use; others may still be at those before.
  std::vector<std::shared_ptr<std::uint32_t>> mapped_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<std::size_t, Mine> mine_ TIERCACHE_GUARDED_BY(mutex_);
  std::uint64_t changes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  int writes_of_all_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
