// The port to the durable shared tier. Implement it to put entries somewhere else; then run
// `testing/store_conformance.h` against it.
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
  ok,           // the call was done; what became of each item is in the reply
  unavailable,  // the store cannot be reached, or does not serve just now; nothing was done
  unknown,      // the connection broke, or the deadline passed, in the middle: any part of the call
                // may have been done, or all of it, or nothing
};

// One change of one key, as the outbox sends it.
//
// Clocks merge by maximum with every write that its guard lets through, no matter whose content
// wins: so any order of two writes gives the same row.
struct StoreWrite {
  // What the write may change of the row.
  enum class Kind : std::uint8_t {
    content,  // `entry` takes the place of an older row: a document or a tombstone
    clocks,   // only `entry.clocks` count, and `entry.metadata` where it is not empty,
              // `entry.version` is still the row's and its `last_fetch` is not before the row's.
              // Never makes a row
  };
  Kind kind = Kind::content;  // whether content is written, or clocks alone
  EntryId id;                 // the row, in the project of the call
  Entry entry;                // what is written; a tombstone has no document and a zero checksum
  // When set, the write holds only while the row's version is not newer than this; zero: only while
  // there is no row, and a tombstone is one. That is how refresh results and compare-and-set lose
  // to writes that they did not see. A content write that is the row already is `already_saved`,
  // whatever its guard. Absent: the write holds wherever it is newer.
  std::optional<Version> not_newer_than;
};

// What became of one write.
enum class SaveOutcome : std::uint8_t {
  saved,          // the row has what the write brought: its content, or its clocks
  already_saved,  // the row had that already: the same version, checksum and kind, or clocks that
                  // are not later than the row's. (Later clocks that came with it have moved)
  superseded,     // the content in the row is newer, or the guard failed, and it stands; `current`
                  // has the row. A clocks write is told so too, and also where there is no row
  refused,        // the store will never take this write; `why` says what to change
};

// The answer to one write.
struct SaveResult {
  SaveOutcome outcome = SaveOutcome::saved;  // what became of it
  // With `superseded`: the row as this write left it. Null where there is none, or where it cannot
  // be read; null with every other outcome.
  EntryPtr current;
  // With `refused`: the reason, for a person to read, without secrets; else empty. Only the first
  // 4,096 bytes are kept.
  std::string why;
};

// What every reply has. The store's clock is in it, by which versions are stamped and which tells
// what is old.
struct StoreReply {
  StoreStatus status = StoreStatus::ok;  // how the call ended
  std::string message;                   // with any other status than `ok`: why, without secrets
  std::optional<WallTime> store_time;    // the store's clock while it answered; absent: not told
  // Names the store's data: another name after a reset, or after a restore that said so. Empty:
  // this reply does not tell.
  std::string incarnation;
};

// The answer to `Store::load`. With `ok` `entries` and `corrupt` have one item per id, in the order
// of the ids; with any other status they are empty.
struct LoadReply : StoreReply {
  std::vector<EntryPtr> entries;  // null: there is no row, or a corrupt one; tombstones are entries
  std::vector<bool> corrupt;      // there is a row, and its bytes do not match their checksum
  // One per id, or none at all where no row is corrupt: what such a row holds in the document's
  // place, as far as it can be read. The cache keeps it aside, since the next write replaces it
  // (I9).
  std::vector<std::shared_ptr<const std::string>> corrupt_text;

  // Whether the row of the i-th id is corrupt; false beyond the end of `corrupt`.
  bool is_corrupt(std::size_t i) const { return i < corrupt.size() && corrupt[i]; }
  // What the corrupt row of the i-th id holds; null where nothing can be read, or it is not
  // corrupt.
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

// A matching erase, or the next piece of one: a large dataset is erased call by call, so that none
// takes long and no row stays locked for long.
struct MatchingErase {
  std::string dataset = {};  // the dataset whose keys are matched
  std::string glob = {};     // the pattern, as `glob_matches` (glob.h) reads it
  Version version = {};      // rows of older versions are erased, and their tombstones get this one
  // Keys up to this one, in byte order, are done; absent: none is.
  std::optional<std::string> after = {};
  std::size_t limit = 10'000;  // rows looked at, at most; at least 1
};

// The answer to `Store::erase_matching`.
struct EraseMatchingReply : StoreReply {
  std::uint64_t erased = 0;         // documents that this call erased
  std::optional<std::string> next;  // pass as `after`: more is left; absent: all is done
};

// One change that the feed tells: the key's row became this after the cursor, and may be newer by
// now.
struct StoreChange {
  EntryId id;                              // the key that changed
  Version version;                         // the row's version
  std::optional<WallTime> invalidated_at;  // the row's clock of that name
};

// A page of the change feed (`Store::changes`).
struct ChangesReply : StoreReply {
  std::vector<StoreChange> changes;  // as they became known; a key may come more than once
  std::string next;                  // the cursor to go on from, also behind a gap
  bool more = false;                 // there were more than `limit`: ask again at once
  bool gap = false;  // changes since the cursor were lost or purged: anything may have changed
  // With `ok`: why changes that were committed already are told only later, without secrets. Empty:
  // none is held up.
  std::string held_up;
};

// How hints of changes are doing (`Store::watch_changes`).
struct HintState {
  // Whether hints can be relied on to come.
  enum class Kind : std::uint8_t {
    starting,  // not known yet
    live,      // they come
    lost,      // they may not come; the store goes on trying
    unheard,   // what lies between does not carry them; the store tries again now and then
  };
  Kind kind = Kind::starting;  // how they are doing now
  std::string why;             // with `lost` and `unheard`: the reason, without secrets
};

// What `Store::watch_changes` hands out. Hints come while the object lives; one may still be on its
// way when its destructor returns. Thread-safe.
class ChangeWatch {
 public:
  virtual ~ChangeWatch() = default;
  // How the hints are doing now. Returns at once, without I/O.
  virtual HintState state() const = 0;
};

// What a store is to let go of.
struct PurgeRequest {
  // Documents that were last fetched before this give way to tombstones, one tick above the
  // document's version: as if they had been erased when they were written.
  struct Expiry {
    std::string dataset;      // the dataset whose documents these are
    WallTime fetched_before;  // by the `last_fetch` clock; a document without one stays
  };
  std::vector<Expiry> expired;  // empty: no document is let go of
  Version tombstones_below;     // tombstones of older versions go; zero: none goes
  // How many rows may change or go in this call. 0: none, the call only asks for `horizon`.
  std::size_t limit = 10'000;
};

// The answer to `Store::purge`.
struct PurgeReply : StoreReply {
  std::uint64_t documents = 0;   // that gave way to tombstones
  std::uint64_t tombstones = 0;  // that are gone
  bool more = false;             // the limit was reached: ask again
  // The highest version of all tombstones that ever went, in this project; zero: none did. A
  // document that is not above it, and whose key has no row, may have been erased: see
  // `refused_as_purged`.
  Version horizon;
  // When something was first saved in this project, by the store's clock; nullopt: it keeps no
  // record of that. For as long as tombstones are kept, none is purged of a project that is newer.
  std::optional<WallTime> project_since;
};

// What the store cannot hold. The cache checks it when something is put, so that nothing that was
// acknowledged is refused later. A key with a NUL byte, and text that is not UTF-8, come to no
// store.
struct StoreLimits {
  std::size_t max_document_bytes = SIZE_MAX;  // of one document's JSON text
  std::size_t max_key_bytes = SIZE_MAX;       // of a key together with the name of its dataset
  bool refuses_nul_escape = false;            // "\u0000" in a string
  bool refuses_unbounded_numbers = false;     // numbers beyond what Postgres' numeric holds
  // Numbers come back without an exponent, 1e6 as 1000000: a document then counts, against the
  // limits of its bytes, as large as it is with its numbers written out.
  bool writes_numbers_out = false;
};

// Implement the six pure functions; the capabilities below them are optional.
//
// Thread-safe: any call may run beside any other. No function throws: what went wrong is said by
// `StoreReply::status` and `message`. Each call returns by its deadline, by the clock of the cache,
// even where the server hangs; one whose deadline has passed already is answered with another
// status than `ok`, and the store works on afterwards. `kNever` is a deadline that never comes.
// `project` keeps applications apart: no call sees or changes a row of another one.
//
// Names, keys and documents are data. Any bytes of UTF-8 without NUL may come, and are compared
// byte by byte.
class Store {
 public:
  virtual ~Store() = default;

  // What and where the store is, for logs and `health`, without credentials. Returns at once,
  // without I/O.
  virtual std::string describe() const = 0;
  // What the store cannot hold. A cache asks once, while it opens; returns at once, without I/O.
  virtual StoreLimits limits() const = 0;

  // Reads rows by key. The reply's i-th item is the row of `ids[i]`; ids may repeat, be unknown, or
  // be none at all, which is `ok` and empty. A tombstone is a row and comes back as one.
  //
  // Each entry is the row as one write left it, with all its fields, never a mixture of two; a row
  // whose write was confirmed before the call began is seen in that version or a newer one. Whether
  // all rows are of the same moment is left to the store.
  //
  // A row whose bytes do not match their checksum is reported in `corrupt`, with a null entry; it
  // does not end the call for the others. (The cache checks every document that it gets, too.) A
  // store that keeps values instead of bytes returns its own text of the document, and sets
  // `Entry::text_checksum` of that text; `Entry::checksum` stays the one that was saved.
  //
  // Nothing is changed, so `unavailable` and `unknown` mean the same here: ask again.
  virtual LoadReply load(const std::string& project, std::span<const EntryId> ids,
                         SteadyTime deadline) = 0;

  // Applies each write to its row by the rules of `apply_write` (store_rules.h). The reply's i-th
  // result is of `writes[i]`; no writes are `ok` and empty.
  //
  // With `ok` every write has its outcome, and what was `saved` or `already_saved` lasts as the
  // store promises, over its restart too: the cache then forgets the write. One write that is
  // refused or superseded leaves the others of its batch alone. Nothing else may fail a single
  // write: what the store cannot do just now fails the call, with `unavailable` or `unknown`.
  //
  // For each write, reading the row, judging it and replacing it has to be one step against every
  // other call, of other processes and machines too: two writes with the same guard must not both
  // get in. The batch as a whole need not be atomic. Two batches with the same keys in different
  // order must not wait for each other in a circle.
  //
  // Writes come again and in any order: after `unknown` and `unavailable`, after a crash, from
  // another process that took a journal over. Each of them is to be sent again without harm, a
  // row's version never goes back (I3), and a tombstone keeps older content out (I4). A key may
  // come more than once in a batch, and even the same write: writes of one key are applied in the
  // order in which they stand.
  //
  // `unavailable` promises that nothing of the batch was done, nor will be. Where that is not
  // certain, a connection that broke while the answer was awaited above all, the call is `unknown`:
  // each write may be in the store, or come into it a moment later. `put` tells its caller so.
  virtual SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                         SteadyTime deadline) = 0;

  // Up to `limit` documents of a dataset (of all datasets when empty; a limit of 0 counts as 1),
  // most recently updated first, from `cursor` on. An empty cursor is the start; one that the store
  // never gave does no harm. A page may end before its limit, for its size. What nobody writes
  // meanwhile comes exactly once; what is written meanwhile may come again or be left out.
  virtual ScanReply scan(const std::string& project, const std::string& dataset,
                         const std::string& cursor, std::size_t limit, SteadyTime deadline) = 0;

  // Leaves tombstones of `erase.version` for every row of the dataset whose key matches the glob
  // and whose version is older; each keeps the row's clocks (`tombstone_of` in store_rules.h). A
  // key without a row gets none. A store may stop after `erase.limit` rows and say in `next` where
  // to go on. To be sent again without harm, like a write.
  virtual EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                            SteadyTime deadline) = 0;

  // Capability: the change feed, by which other machines' writes are noticed.
  virtual bool has_changes() const { return false; }
  // Up to `limit` changes of content (documents and tombstones) and invalidations that were
  // committed after `cursor`, none left out, this cache's own among them; other moves of clocks
  // need not be. An empty cursor starts now: no changes, only `next`. A cursor that this store
  // never gave (another one, or one that was made anew, did) is a gap.
  virtual ChangesReply changes(const std::string& /*project*/, const std::string& /*cursor*/,
                               std::size_t /*limit*/, SteadyTime /*deadline*/) {
    ChangesReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "this store has no change feed";
    return reply;
  }

  // Capability, of stores with a change feed: hints that spare it waiting for its next look. From
  // now on `hint` is called soon after changes of the project were committed, by whomever, this
  // cache included, and whenever `state` becomes another. A hint may come late, twice, for nothing,
  // or not at all: the feed alone tells what changed. `hint` is called on a thread of the store's
  // and must return at once, not throw, and not end the watch. Returns at once, without I/O; null:
  // no hints.
  virtual std::shared_ptr<ChangeWatch> watch_changes(const std::string& /*project*/,
                                                     std::function<void()> /*hint*/) {
    return nullptr;
  }

  // Capability: tombstones do not stay for ever. A cursor of the change feed from before a
  // tombstone that went is a gap, unless its change is still told. The replies tell `store_time`,
  // by which the cache judges what is old: without it nothing is asked to go.
  virtual bool has_purge() const { return false; }
  // Lets go of what the request names, and from then on refuses what may have been erased by a
  // tombstone that is gone (`refused_as_purged` in store_rules.h). With `more` it is called again.
  virtual PurgeReply purge(const std::string& /*project*/, const PurgeRequest& /*request*/,
                           SteadyTime /*deadline*/) {
    PurgeReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "this store does not purge";
    return reply;
  }
};

}  // namespace tiercache
