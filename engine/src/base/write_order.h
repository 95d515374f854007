// Puts the writes of all processes on one directory into one order, key by key. For that they share
// in memory the newest time stamped so far, and who has a write that is not in its file yet. Keys
// share places, as they do in `Generations`, so a write of one key may also wait for those of a few
// others.
//
// This is how a compare-and-set of one process sees a write that another process has not put into
// its file yet. Each process has a bit at every place, which it sets before it takes a time and
// clears once the write is in its file. So whoever has taken a time and then finds no other bit
// knows that every write with a lower time is in its file, and that every later one will have a
// higher time:
//
//     process A, plain write              process B, compare-and-set
//     begin: sets its bit
//     stamp: gets time 101                hold: sets its bit
//     writes memory and journal           stamp: gets time 102
//                                         others: sees A's bit, and waits
//     writes the file
//     release_filed: clears its bit       others: sees no bit; reads the file, compares, writes
//
// If two of them wait for each other, the lower slot goes first; the other one clears its bit and
// takes a new time later. A matching erase writes all places. It cannot wait for each bit to be
// cleared, since a key may be written without pause; instead each process also says up to which
// time everything it has stamped is in files, and the erase waits until that has passed its own
// time.
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
  // Processes beyond this number are not waited for.
  static constexpr std::uint64_t kSlots = 64;
  // Cells of 32 bits that are needed behind those of `Generations`.
  static constexpr std::size_t kCells = 4 * Generations::kCounters + 2 * (kSlots + 1);

  // `shared` holds the counters of `Generations` and `kCells` cells behind them; null for a process
  // that shares none. `slot` is this cache's number among those that have the directory open.
  WriteOrder(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  // Goes on with the counters of a directory that was made anew, in which this cache may have
  // another slot. A comparison that is under way meanwhile may miss another process's write.
  void share(std::shared_ptr<std::uint32_t> shared, std::uint64_t slot);

  static std::size_t place(std::uint64_t hash) { return Generations::place(hash); }

  // Returns a `Version::time` that is at least `at_least` and above all that were given for the
  // place, here or elsewhere. A shared time that lies an hour or more above `at_least` is damage,
  // not a time that anybody was given, and is not believed.
  std::uint64_t stamp(std::uint64_t hash, std::uint64_t at_least);

  // Says that a write of the place is under way here, until `release_filed` finds it in its file.
  // Must be called before the write is stamped, or others could take it for one that is in its
  // file.
  void begin(std::uint64_t hash);
  // Until `let_go` this process is seen as if it had a write under way there. Of processes that
  // wait for each other, all but the one that goes first let go meanwhile.
  void hold(std::uint64_t hash);
  void let_go(std::uint64_t hash);
  // The slots of the others that have a write under way there, one bit each. A write that was
  // stamped before this was asked is in its file, unless its slot is among them.
  std::uint64_t others(std::uint64_t hash) const;
  // Whether this process goes first among those that are there. The lowest slot does, but somebody
  // who writes all places goes before everybody else.
  bool goes_first(std::uint64_t hash) const;

  // Says that a write of all places is under way here, until `end_all`; others see it at each
  // place. It waits for `others_before`. A later write waits for it only if it is compared before
  // it is written.
  void begin_all();
  void end_all();
  // Like `stamp`, but above all times given for any place. Whatever is stamped later, at any place,
  // is above it.
  std::uint64_t stamp_all(std::uint64_t at_least);
  // The slots of the others that may have something that was stamped before `time`, which
  // `stamp_all` has returned, and is not in its file yet. `*places` says where to look, at first
  // `all_places()`; places where nothing is left are taken out.
  std::uint64_t others_before(std::uint64_t time, std::vector<std::size_t>* places) const;
  static std::vector<std::size_t> all_places();

  // What is not in its file yet.
  struct Busy {
    std::set<std::size_t> places;
    std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();  // the oldest of their times
  };
  // Releases the others from waiting for writes that are in their files by now: whatever was under
  // way and is not in `busy()` any more.
  // `busy` must see every write that began before it was asked, and returns nullopt if it cannot
  // tell just now. Everything that is stamped here from now on must be above `now`. Returns false
  // if some is left.
  bool release_filed(std::uint64_t now, const std::function<std::optional<Busy>()>& busy);
  // Called once the slot's owner is dead and what it had under way was brought to the files.
  void forget(std::uint64_t slot);
  // A process that gets a dead one's slot has what that had under way: others wait for it as
  // before, until this says that it is in files, or that this process will say so of it (`begin`).
  void take_over();

 private:
  struct Mine {
    std::uint64_t change = 0;
    int holds = 0;
    bool writes = false;
  };
  // The shared memory in words of 64 bits: for each place the newest time; for each place the bits
  // of those who have a write under way there; the bits of those who write all places; for each
  // slot the time up to which everything it stamped is in files.
  static constexpr std::size_t kUnderWay = Generations::kCounters;
  static constexpr std::size_t kWritesAll = 2 * Generations::kCounters;
  static constexpr std::size_t kFiledUpTo = kWritesAll + 1;

  std::atomic_ref<std::uint64_t> word(std::size_t index) const;
  void show_all() TIERCACHE_REQUIRES(mutex_);
  bool is_under_way(std::uint64_t slot) const;
  void show(std::size_t place, const Mine& mine) TIERCACHE_REQUIRES(mutex_);

  std::atomic<std::uint32_t*> shared_;
  std::atomic<std::uint64_t> own_bit_;  // 0 for a slot beyond `kSlots`
  std::atomic<std::uint64_t> slot_;
  mutable Mutex mutex_;
  // The last one is in use; other threads may still be using those before it.
  std::vector<std::shared_ptr<std::uint32_t>> mapped_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<std::size_t, Mine> mine_ TIERCACHE_GUARDED_BY(mutex_);
  std::uint64_t changes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool inherits_ TIERCACHE_GUARDED_BY(mutex_) = false;  // until `take_over`
  int writes_of_all_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
