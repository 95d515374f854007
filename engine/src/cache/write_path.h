// The way of a write (design §4): stamp under the key's lock, journal, memory, then file and store
// behind.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/settlements.h"
#include "journal/journal.h"
#include "tiercache/detail/resident.h"
#include "tiercache/entry.h"
#include "tiercache/options.h"
#include "tiercache/store.h"

namespace tiercache::detail {

class Core;
struct DatasetState;

// One change on its way in; its version is not known yet.
struct Change {
  DatasetState* dataset = nullptr;
  RecordKind kind = RecordKind::content;
  std::string key;  // with `erase_matching`: the glob
  Entry entry;      // without version; checksum filled in
  std::shared_ptr<const void> value;
  std::size_t value_bytes = 0;
  std::optional<Version> if_version;   // a caller's compare-and-set: `conflict` when it is another
  std::optional<Version> base;         // a refresh's: `superseded` when another is there
  Version begun = {};                  // with `base`: so is it by what was erased since
  std::optional<Version> guard;        // the store's: see StoreWrite::not_newer_than
  Lineage made_from = {};              // with `guard`
  std::uint64_t place = 0;             // its time, where it was taken before the write was compared
  std::uint32_t generation = 0;        // others' changes of its file before it was stamped
  Settlements::WaiterPtr waiter = {};  // of a call that waits for the store; null: none does
};

struct ChangeResult {
  enum class Status : std::uint8_t {
    durable,      // journaled and visible
    stored,       // the disk refused, the store took it; visible
    conflict,     // `if_version` is not the entry's version, which is `version`
    superseded,   // a newer write came first; nothing was done
    full,         // the journal holds as much as it may
    not_applied,  // no durable tier took it
    in_the_way,   // another process was, until the deadline; nothing was done
    unknown,      // it may appear later, as `version`
  };
  Status status = Status::durable;
  Version version;
  std::string why;
};

inline ChangeResult result_of(ChangeResult::Status status, Version version, std::string why = {}) {
  return {status, version, std::move(why)};
}

// Thread-safe.
class WritePath {
 public:
  explicit WritePath(Core& core) : core_(core) {}

  using Done = std::function<void(std::vector<ChangeResult>)>;
  // Journals all changes with one sync and makes them visible. `done` is called exactly once, from
  // this call or from another thread's commit.
  void write(std::vector<Change> changes, std::chrono::milliseconds deadline, Done done);
  // The same, waiting for the end; on the deadline what is still open is `unknown`.
  std::vector<ChangeResult> write_and_wait(std::vector<Change> changes,
                                           std::chrono::milliseconds deadline);

  // The newest version of the key known in this process: memory, index, matching erases that wait
  // for its file, writes under way.
  Version known_version(DatasetState& dataset, const EntryId& id);
  // The same without writes under way, which nobody is served yet.
  Version visible_version(DatasetState& dataset, const EntryId& id) const;
  // The same without matching erases too, of which nothing is left here once they are settled.
  Version version_there(DatasetState& dataset, const EntryId& id) const;

  // `fn` is called once the key's write of `version` is not on its way to the store any more,
  // whatever became of it, at the latest at `deadline`; from this call where it is not now. It must
  // be short.
  void when_under_way_no_more(const EntryId& id, Version version, SteadyTime deadline,
                              std::function<void()> fn);
  // Others kept the journal's queue filled: somebody must go on.
  void commit_later();
  // Writes were brought to their files: others on the directory need not wait for these any longer.
  // False: some are still under way, and want to be told of later.
  bool settle();

 private:
  struct Batch;
  struct Stripe {
    Mutex mutex;
    std::map<EntryId, std::vector<Version>> under_way TIERCACHE_GUARDED_BY(mutex);
  };
  struct Erasure {
    EntryId glob;
    Version version;
  };
  Stripe& stripe_of(std::uint64_t hash) { return stripes_[hash % stripes_.size()]; }
  Version newest_known(DatasetState& dataset, const EntryId& id, Stripe& stripe)
      TIERCACHE_REQUIRES(stripe.mutex);
  Version newest_there(DatasetState& dataset, const EntryId& id, Stripe& stripe)
      TIERCACHE_REQUIRES(stripe.mutex);
  Version newest_matching(const DatasetState& dataset, const std::string& glob) const;
  void carry_clocks(const Clocks& known, Change& change) const;
  // The same for a matching erase, which takes its place among the writes of all keys, and waits
  // until what others stamped before it is in files, where it finds it.
  std::optional<ChangeResult> place_erasure(Change& change, SteadyTime deadline);
  void stamp_erasure(Change& change);
  // Of the matching erases that are being journaled, the newest that the key's write of `below`
  // comes after.
  Version erased_under_way(const EntryId& id, Version below);
  void remember_erased(const EntryId& glob, Version version);
  // A matching erase of a version above `begun` has the key, also where it is settled by now.
  bool is_erased_since(const EntryId& id, Version begun);
  // What is there, if the change would put the same document there once more: then only clocks
  // move.
  EntryPtr same_there(const Change& change) const;
  // For a write that is compared with what stands: takes its place among the writes of all
  // processes on the directory, and waits until what comes before it is in the key's file. False:
  // not in time.
  bool take_place(Change& change, SteadyTime deadline);
  void wait_for(std::uint64_t others, int tries);
  Version next_version(const Change& change, Version known);
  std::optional<ChangeResult> compared_and_stamped(Change& change, SteadyTime deadline);
  void guard_by(const EntryId& id, Version base, Change& change) const;
  // Fills in the version, merges clocks; the result when the change must not be made.
  std::optional<ChangeResult> stamp(Change& change, const EntryPtr& same);
  void make_room();
  std::string why_full() const;
  // Whoever waits for the store is there before the write can be sent.
  void expect_settlement(const Change& change);
  void forget_under_way(const Change& change);
  void journaled(const std::shared_ptr<Batch>& batch, std::size_t index,
                 const AppendResult& result);
  void make_visible(const Change& change);
  void make_clocks_visible(const Change& change);
  void no_clocks_to_move(const Change& change);
  // The key's document as memory or the file has it, with the change's clocks; null without one.
  // The generation becomes that of what memory has.
  ResidentPtr with_clocks_of(const Change& change, std::uint32_t* generation);
  void make_matching_erase_visible(const Change& change);
  void save_in_store_instead(const std::shared_ptr<Batch>& batch, std::size_t index,
                             AppendResult result);
  void finish_one(const std::shared_ptr<Batch>& batch, std::size_t index, ChangeResult result);

  Core& core_;
  std::array<Stripe, 256> stripes_;
  Mutex erasures_mutex_;
  std::vector<Erasure> erasures_ TIERCACHE_GUARDED_BY(erasures_mutex_);  // being journaled
  std::deque<Erasure> erased_lately_ TIERCACHE_GUARDED_BY(erasures_mutex_);
  Version erased_longer_ago_ TIERCACHE_GUARDED_BY(erasures_mutex_);  // the newest not in it
};

}  // namespace tiercache::detail
