// The port to the durable shared tier. Implement it to keep entries somewhere else, and then run
// the tests of `testing/store_conformance.h` against it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache {

// How a call as a whole ended. With anything but `ok` the reply holds no items, only `message`.
enum class StoreStatus : std::uint8_t {
  ok,           // the call was done; the reply says what became of each item
  unavailable,  // the store cannot be reached, or does not serve just now; nothing was done
  unknown,      // the connection broke or the deadline passed in the middle of the call, which may
                // have been done in part, as a whole, or not at all
};

// One change of one key, as the outbox sends it.
//
// With every write that its guard lets through, the row's clocks become the later of the two, no
// matter whose content wins. So two writes give the same row in either order.
struct StoreWrite {
  // What the write may change of the row.
  enum class Kind : std::uint8_t {
    content,  // `entry`, a document or a tombstone, takes the place of an older row
    clocks,   // only `entry.clocks` are written, and `entry.metadata` if it is not empty,
              // `entry.version` is still the row's and its `last_fetch` is not before the row's;
              // such a write never makes a row
  };
  Kind kind = Kind::content;  // whether content is written, or clocks alone
  EntryId id;                 // which row, in the project of the call
  Entry entry;                // what is written; a tombstone has no document and a zero checksum
  // The guard. If it is set, the write holds only while the row's version is not newer than this;
  // with a zero version only while there is no row, and a tombstone is a row. That is how refresh
  // results and compare-and-set lose to writes that they did not see. A content write that equals
  // the row is `already_saved`, whatever its guard. Absent: the write holds wherever it is newer.
  std::optional<Version> not_newer_than;
};

// What became of one write.
enum class SaveOutcome : std::uint8_t {
  saved,          // the row now has what the write brought: its content, or its clocks
  already_saved,  // the row had it already: the same version, checksum and kind, or clocks that are
                  // not later than the row's. If a content write came with later clocks, they moved
  superseded,     // the row's content is newer, or the guard failed, so that content stands, and
                  // `current` has the row. Clocks get this answer too, and also if there is no row
  refused,        // the store will never take this write; `why` says what to change
};

// The answer to one write.
struct SaveResult {
  SaveOutcome outcome = SaveOutcome::saved;  // what became of it
  // With `superseded`: the row as this write left it, or null if there is none or it cannot be
  // read. Null with every other outcome.
  EntryPtr current;
  // With `refused`: the reason, for people to read, without secrets. Only the first 4,096 bytes are
  // kept. Empty with every other outcome.
  std::string why;
};

// What every reply has. It includes the store's clock, by which versions are stamped and by which
// the cache judges what is old.
struct StoreReply {
  StoreStatus status = StoreStatus::ok;  // how the call ended
  std::string message;                   // with any other status than `ok`: why, without secrets
  std::optional<WallTime> store_time;    // the store's clock while it answered; absent: unknown
  // The name of the store's data, which is another one after a reset, and after a restore that
  // changed it. Empty: this reply does not say.
  std::string incarnation;
};

// The answer to `Store::load`. With `ok` `entries` and `corrupt` have one item per id, in the order
// of the ids; with any other status they are empty.
struct LoadReply : StoreReply {
  std::vector<EntryPtr> entries;  // null: there is no row, or a corrupt one; tombstones are entries
  std::vector<bool> corrupt;      // there is a row, and its bytes do not match their checksum
  // What each corrupt row holds in the document's place, as far as it can be read. One item per id,
  // or none at all if no row is corrupt. The cache keeps the text aside, because the next write
  // replaces it (I9).
  std::vector<std::shared_ptr<const std::string>> corrupt_text;

  // Returns whether the row of the i-th id is corrupt; false beyond the end of `corrupt`.
  bool is_corrupt(std::size_t i) const { return i < corrupt.size() && corrupt[i]; }
  // Returns what the corrupt row of the i-th id holds; null if nothing can be read or the row is
  // not corrupt.
  std::shared_ptr<const std::string> text_of_corrupt(std::size_t i) const {
    return i < corrupt_text.size() ? corrupt_text[i] : nullptr;
  }
};

// The answer to `Store::save`.
struct SaveReply : StoreReply {
  std::vector<SaveResult> results;  // with `ok` one per write, in their order; else empty
};

// One document of a scan.
struct ScannedEntry {
  EntryId id;      // its dataset and key
  EntryPtr entry;  // never null, never a tombstone
};

// A page of `Store::scan`.
struct ScanReply : StoreReply {
  std::vector<ScannedEntry> entries;  // most recently updated first; no tombstones, nothing corrupt
  std::string next;                   // the cursor of the next page; empty: this is the last one
};

// A matching erase, or the next piece of one. A large dataset is erased in several calls, so that
// no call takes long and no row stays locked for long.
struct MatchingErase {
  std::string dataset = {};  // the dataset whose keys are matched
  std::string glob = {};     // the pattern, as `glob_matches` (glob.h) reads it
  Version version = {};      // older rows are erased, and their tombstones get this version
  // Keys up to this one, in byte order, have been dealt with; absent: none has.
  std::optional<std::string> after = {};
  std::size_t limit = 10'000;  // how many rows the call looks at, at most; at least 1
};

// The answer to `Store::erase_matching`.
struct EraseMatchingReply : StoreReply {
  std::uint64_t erased = 0;         // documents that this call erased
  std::optional<std::string> next;  // pass it as `after` to go on; absent: all is done
};

// A change committed after the cursor. The row may have changed again since.
struct StoreChange {
  EntryId id;                              // the key that changed
  Version version;                         // the row's version
  std::optional<WallTime> invalidated_at;  // the row's clock of that name
};

// A page of the change feed (`Store::changes`).
struct ChangesReply : StoreReply {
  std::vector<StoreChange> changes;  // in the order found; a key may come more than once
  std::string next;                  // the cursor to go on from, after a gap too
  bool more = false;                 // there are more than `limit`: ask again at once
  bool gap = false;  // changes since the cursor were lost or purged: anything may have changed
  // With `ok`: why committed changes are being withheld for now, without secrets. Empty if none is.
  std::string held_up;
};

// How hints of changes are doing (`Store::watch_changes`).
struct HintState {
  // Whether hints can be relied on to come.
  enum class Kind : std::uint8_t {
    starting,  // it is not known yet
    live,      // hints come
    lost,      // hints may not come; the store goes on trying
    unheard,   // what lies in between does not pass hints on; the store tries again now and then
  };
  Kind kind = Kind::starting;  // whether they can be relied on now
  std::string why;             // with `lost` and `unheard`: the reason, without secrets
};

// What `Store::watch_changes` returns. Hints come for as long as the object lives; one may still be
// on its way when its destructor returns. Thread-safe.
class ChangeWatch {
 public:
  virtual ~ChangeWatch() = default;
  // Returns how the hints are doing now, at once and without I/O.
  virtual HintState state() const = 0;
};

// What a store is asked to let go of.
struct PurgeRequest {
  // Documents that were last fetched before some time give way to tombstones whose version is one
  // tick above the document's, as if they had been erased right after they were written.
  struct Expiry {
    std::string dataset;      // the dataset whose documents these are
    WallTime fetched_before;  // by the `last_fetch` clock; a document without one stays
  };
  std::vector<Expiry> expired;  // which documents go; empty: none
  Version tombstones_below;     // tombstones of older versions are deleted; zero: none is
  // How many rows the call may change or delete. 0: none, the call only asks for `horizon`.
  std::size_t limit = 10'000;
};

// The answer to `Store::purge`.
struct PurgeReply : StoreReply {
  std::uint64_t documents = 0;   // how many documents gave way to tombstones
  std::uint64_t tombstones = 0;  // how many tombstones were deleted
  bool more = false;             // the limit was reached: ask again
  // The highest version of all tombstones that were ever deleted in this project; zero if none was.
  // A document that is not newer, and whose key has no row, may have been erased since: see
  // `refused_as_purged`.
  Version horizon;
  // When something was first saved in this project, by the store's clock; nullopt if the store
  // keeps no record of that. While a project is younger than tombstones are kept, the cache purges
  // none.
  std::optional<WallTime> project_since;
};

// What the store cannot hold. The cache checks that when something is put, so that nothing is
// refused later that was acknowledged. No store is ever given a key with a NUL byte, or text that
// is not UTF-8.
struct StoreLimits {
  std::size_t max_document_bytes = SIZE_MAX;  // of one document's JSON text
  std::size_t max_key_bytes = SIZE_MAX;       // of a key together with the name of its dataset
  bool refuses_nul_escape = false;            // it cannot hold "\u0000" in a string
  bool refuses_unbounded_numbers = false;     // nor numbers beyond what Postgres' numeric holds
  // Numbers come back without an exponent, 1e6 as 1000000. Against limits in bytes a document then
  // counts with its numbers written out.
  bool writes_numbers_out = false;
};

// The store. Implement the six pure functions; the capabilities below them are optional.
//
// A store must be thread-safe: any call may run beside any other. No function may throw:
// `StoreReply::status` and `message` say what went wrong. Each call must return by its deadline, by
// the clock of the cache, even if the server hangs. A call whose deadline has passed already gets a
// status other than `ok`, and the store goes on working. `kNever` is a deadline that never comes.
// `project` keeps applications apart: no call sees or changes a row of another project.
//
// Names, keys and documents are data: they may be any bytes of UTF-8 without NUL, and are compared
// byte by byte.
class Store {
 public:
  virtual ~Store() = default;

  // Returns what and where the store is, for logs and `health`, without credentials. A store with
  // the same description and another incarnation is taken for the same one after a reset or
  // restore. Must return at once, without I/O.
  virtual std::string describe() const = 0;
  // Returns what the store cannot hold; the cache asks while it opens. Must return at once, without
  // I/O.
  virtual StoreLimits limits() const = 0;

  // Reads rows by key. The reply's i-th item is the row of `ids[i]`; ids may repeat, be unknown, or
  // be none at all, which is `ok` and empty. A tombstone is a row and comes back as one.
  //
  // Each entry is the row as one write left it, with all its fields, and never a mixture of two. If
  // a write was confirmed before the call began, its version is seen, or a newer one. The rows need
  // not all be of the same moment.
  //
  // A row whose bytes do not match their checksum is reported in `corrupt`, with a null entry, and
  // does not fail the call for the others. (The cache checks every document that it gets, too.) A
  // store that keeps values instead of bytes returns its own text of the document and sets
  // `Entry::text_checksum` to the checksum of that text; `Entry::checksum` stays as it was saved.
  //
  // Nothing is changed, so `unavailable` and `unknown` mean the same here: ask again.
  virtual LoadReply load(const std::string& project, std::span<const EntryId> ids,
                         SteadyTime deadline) = 0;

  // Applies each write to its row by the rules of `apply_write` (store_rules.h). The reply's i-th
  // result is of `writes[i]`; no writes are `ok` and empty.
  //
  // With `ok` every write has its outcome, and what was `saved` or `already_saved` must be as
  // durable as the store promises, even if it restarts, because the cache then forgets the write.
  // One write that is refused or superseded does not affect the others of its batch. Nothing else
  // may fail a single write: what the store cannot do just now fails the call, with `unavailable`
  // or `unknown`.
  //
  // For each write, reading the row, judging it and replacing it must be one step with regard to
  // every other call, those of other processes and machines included: of two writes with the same
  // guard only one may succeed. The batch as a whole need not be atomic. Two batches that name the
  // same keys in different order must not deadlock.
  //
  // Writes come repeatedly and in any order: after `unknown` and `unavailable`, after a crash, and
  // from another process that took over a journal. Sending one again must do no harm, a row's
  // version must never go back (I3), and a tombstone must keep older content out (I4). A batch may
  // name a key more than once, and may even hold the same write twice; the writes of one key are
  // applied in their order.
  //
  // `unavailable` promises that nothing of the batch was done, nor will be. Whenever that is not
  // certain, above all if the connection breaks while the answer is awaited, the call is `unknown`:
  // each write may be in the store, or may get there a moment later. `put` tells its caller so.
  virtual SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                         SteadyTime deadline) = 0;

  // Returns up to `limit` documents of a dataset, most recently updated first, from `cursor` on. An
  // empty dataset means all of them; a limit of 0 counts as 1. An empty cursor is the start, and
  // one that the store never gave must do no harm. A page may hold fewer than `limit` documents if
  // they are large. What nobody writes meanwhile comes exactly once; what is written meanwhile may
  // come again or be left out.
  virtual ScanReply scan(const std::string& project, const std::string& dataset,
                         const std::string& cursor, std::size_t limit, SteadyTime deadline) = 0;

  // Replaces every row of the dataset whose key matches the glob and whose version is older by a
  // tombstone of `erase.version`, which keeps the row's clocks (`tombstone_of` in store_rules.h). A
  // key without a row gets none. A store may stop after `erase.limit` rows and say in `next` where
  // to go on. Like a write, it may come again, and must then do no harm.
  virtual EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                            SteadyTime deadline) = 0;

  // Whether the store has a change feed, by which the cache notices other machines' writes.
  virtual bool has_changes() const { return false; }
  // Returns up to `limit` changes that were committed after `cursor`: of content (documents and
  // tombstones), and invalidations. None may be left out, and the cache's own are among them; other
  // moves of clocks may be left out. An empty cursor starts now: the reply has no changes, only
  // `next`. A cursor that this store never gave, but another one did, or this one before it was
  // made anew, is a gap.
  virtual ChangesReply changes(const std::string& /*project*/, const std::string& /*cursor*/,
                               std::size_t /*limit*/, SteadyTime /*deadline*/) {
    ChangesReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "this store has no change feed";
    return reply;
  }

  // Begins to watch a store with a change feed, so that the cache need not wait until its next
  // look. From now on `hint` is called soon after changes of the project were committed, by anyone,
  // including this cache, and whenever `ChangeWatch::state` changes. A hint may come late, twice,
  // without a reason, or not at all: only the feed says what changed. `hint` is called on a thread
  // of the store's own, and must return at once, must not throw and must not end the watch. Returns
  // at once, without I/O; null if the store gives no hints.
  virtual std::shared_ptr<ChangeWatch> watch_changes(const std::string& /*project*/,
                                                     std::function<void()> /*hint*/) {
    return nullptr;
  }

  // Whether the store can purge, so that tombstones do not stay for ever. A cursor of the change
  // feed from before the purge of a tombstone is then a gap, unless the feed still has its change.
  // The replies must have a `store_time`: by it the cache judges what is old, and it purges nothing
  // without it.
  virtual bool has_purge() const { return false; }
  // Lets go of what the request names. From then on writes are refused that may have been erased by
  // a tombstone which is gone (`refused_as_purged` in store_rules.h). After a reply with `more` it
  // is called again.
  virtual PurgeReply purge(const std::string& /*project*/, const PurgeRequest& /*request*/,
                           SteadyTime /*deadline*/) {
    PurgeReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "this store does not purge";
    return reply;
  }
};

}  // namespace tiercache
