// What version a write gets, and whether it may be made at all (decisions 30 and 34).
//
// Writes of one key take their versions under the key's lock, each above all that this process
// knows of the key, so that none is lost between threads. Between the processes on a directory the
// order is that of `WriteOrder`. A write that nothing depends on takes the next time of its place
// there, and that is all. A write that is compared with what stands, by `if_version` or because it
// is the answer of a refresh, needs three steps, and so does a matching erase, which is compared
// with every key:
//
//     1  take a place         others that come later see that somebody was here before them
//     2  wait                 until what others stamped before is in files, where it can be seen
//     3  compare, then stamp  under the key's lock
//
// A write that waits for a process that has died adopts what that process left behind.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/writing/change.h"
#include "cache/writing/matching_erases.h"

namespace tiercache::detail {

// Thread-safe.
class WriteStamps {
 public:
  // `adopt` finishes what stopped caches left in the directory, on the calling thread. It returns
  // false if that cannot be done at the moment.
  WriteStamps(Runtime& runtime, LocalTiers& local, FileWriter& file_writer,
              std::function<bool()> adopt)
      : runtime_(runtime), local_(local), file_writer_(file_writer), adopt_(std::move(adopt)) {}

  // Fills in the version, the clocks that the key has so far, and the guard by which the store will
  // compare. Turns a refresh that brought the document that stands into a move of clocks. Returns a
  // result if the change must not be made, else nullopt, and the change is under way until `end`.
  //
  // Blocks, if the change is compared: polls until `deadline` while other processes have writes
  // under way, reads files, and may adopt a dead process's journal.
  std::optional<ChangeResult> stamp(Change& change, SteadyTime deadline);
  // To be called once the change is visible, or was not made after all.
  void end(const Change& change);
  // To be called once a matching erase is visible.
  void erased(const EntryId& glob, Version version) { erases_.remember(glob, version); }

  // The newest version of the key known in this process, matching erases and writes under way
  // included.
  Version newest(DatasetState& dataset, const EntryId& id);

  // Releases the other processes on the directory from waiting for the writes that have come into
  // their files by now. Returns false if some are still under way; it must then be called again.
  bool release_filed();

 private:
  struct Stripe {
    Mutex mutex;
    std::map<EntryId, std::vector<Version>> under_way TIERCACHE_GUARDED_BY(mutex);
  };
  Stripe& stripe_of(const Change& change);
  // What is known of the key, and the newest version of it that is under way.
  struct There {
    Known known;
    Version written;  // the newest that stands or is under way, matching erases not counted
    Version newest() const { return std::max(written, known.erased); }
    // What a new version must be above.
    Version floor() const { return std::max(newest(), known.withdrawn); }
  };
  There there(DatasetState& dataset, const EntryId& id, Stripe& stripe)
      TIERCACHE_REQUIRES(stripe.mutex);
  std::optional<ChangeResult> stamp_key(Change& change, const EntryPtr& same);
  std::optional<ChangeResult> stamp_erase(Change& change, SteadyTime deadline);
  Version newest_matching(const DatasetState& dataset, const std::string& glob) const;
  void carry_clocks(const Clocks& known, Change& change) const;
  void stamp_clocks(const Known& known, Version version, Change& change) const;
  EntryPtr same_there(const Change& change);
  std::string take_place(Change& change, SteadyTime deadline);
  void wait_for(std::uint64_t others, int tries);
  Version next_version(const Change& change, Version known);
  void guard_by(const EntryId& id, Version base, Change& change) const;

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  const std::function<bool()> adopt_;
  std::array<Stripe, 256> stripes_;
  MatchingErases erases_;
};

}  // namespace tiercache::detail
