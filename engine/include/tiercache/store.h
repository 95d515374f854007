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

// How a call as a whole ended.
enum class StoreStatus : std::uint8_t {
  ok,           // per-item outcomes are in the reply
  unavailable,  // the store could not be reached or is not serving; nothing was done
  unknown,      // the connection broke or the deadline passed in the middle; it may have been done
};

// One change of one key, as the outbox sends it.
//
// Clocks merge by maximum with every write that its guard lets through, whoever's content wins: so
// any order of two writes gives the same row.
struct StoreWrite {
  enum class Kind : std::uint8_t {
    content,  // `entry` replaces what is older: a document or a tombstone
    clocks,   // only `entry.clocks`, and `entry.metadata` where it is not empty, `entry.version` is
              // still the row's and its `last_fetch` is not before the row's; never creates a row
  };
  Kind kind = Kind::content;
  EntryId id;
  Entry entry;
  // When set, the write holds only while the row's version is not newer than this (zero: while
  // there is no row; a tombstone is one). How refresh results and compare-and-set lose to writes
  // they did not see. A write that is the row already is `already_saved`, whatever its guard.
  std::optional<Version> not_newer_than;
};

enum class SaveOutcome : std::uint8_t {
  saved,          // the row is now this write
  already_saved,  // the row was this write already: same version and checksum
  superseded,  // the row is newer (or guarded) and stands; `current` holds it. Also a clocks write
               // whose row is newer, or gone: then `current` is null
  refused,     // the store will never take this write; `why` says what to change
};

struct SaveResult {
  SaveOutcome outcome = SaveOutcome::saved;
  EntryPtr current;  // with `superseded`: the row that won; null when there is none
  std::string why;   // with `refused`: for a person, no secrets
};

// Replies carry the store's clock, by which versions are stamped and leases judged.
struct StoreReply {
  StoreStatus status = StoreStatus::ok;
  std::string message;                 // with any other status: what happened, no secrets
  std::optional<WallTime> store_time;  // the store's clock while it answered
  // Of the store's data: another one after a reset, or a restore that said so. Empty: not told.
  std::string incarnation;
};

struct LoadReply : StoreReply {
  std::vector<EntryPtr> entries;  // one per id, null where there is no row; tombstones included
  std::vector<bool> corrupt;      // one per id: there is a row and its checksum does not match
  // One per id, or none at all where no row is corrupt: what such a row holds in the document's
  // place, as far as it can be read. The cache keeps it aside, since the next write replaces it
  // (I9).
  std::vector<std::shared_ptr<const std::string>> corrupt_text;

  bool is_corrupt(std::size_t i) const { return i < corrupt.size() && corrupt[i]; }
  std::shared_ptr<const std::string> text_of_corrupt(std::size_t i) const {
    return i < corrupt_text.size() ? corrupt_text[i] : nullptr;
  }
};

struct SaveReply : StoreReply {
  std::vector<SaveResult> results;  // one per write when ok; else empty
};

struct ScannedEntry {
  EntryId id;
  EntryPtr entry;
};

struct ScanReply : StoreReply {
  std::vector<ScannedEntry> entries;  // most recently updated first; no tombstones
  std::string next;                   // cursor for the next page; empty at the end
};

// A matching erase, or the next piece of one: a large dataset is erased call by call, so that none
// takes long and no row stays locked for long.
struct MatchingErase {
  std::string dataset = {};
  std::string glob = {};  // see tiercache/glob.h
  Version version = {};
  // Keys up to this one, in byte order, are done; absent: none is.
  std::optional<std::string> after = {};
  std::size_t limit = 10'000;  // rows looked at, at most; at least 1
};

struct EraseMatchingReply : StoreReply {
  std::uint64_t erased = 0;         // documents that this call erased
  std::optional<std::string> next;  // pass as `after`: more is left; absent: all is done
};

// The key's row became this after the cursor; it may be newer by now.
struct StoreChange {
  EntryId id;
  Version version;
  std::optional<WallTime> invalidated_at;
};

struct ChangesReply : StoreReply {
  std::vector<StoreChange> changes;  // as they became known; a key may come more than once
  std::string next;                  // the cursor to go on from
  bool more = false;                 // there were more than `limit`: ask again at once
  bool gap = false;  // changes since the cursor were lost or purged: anything may have changed
  // With `ok`: why changes that were committed already are told later; no secrets. Empty: none is
  // held up.
  std::string held_up;
};

// How hints of changes are doing (`Store::watch_changes`).
struct HintState {
  enum class Kind : std::uint8_t {
    starting,  // not known yet
    live,      // they come
    lost,      // they may not come; the store goes on trying
    unheard,   // what lies between does not carry them; the store tries again now and then
  };
  Kind kind = Kind::starting;
  std::string why;  // with the last two; no secrets
};

// Hints come while the object lives; one may still be on its way when its destructor returns.
// Thread-safe.
class ChangeWatch {
 public:
  virtual ~ChangeWatch() = default;
  virtual HintState state() const = 0;
};

// What a store is to let go of.
struct PurgeRequest {
  // Documents that were last fetched before this give way to tombstones, one tick above the
  // document's version: as if they had been erased when they were written.
  struct Expiry {
    std::string dataset;
    WallTime fetched_before;
  };
  std::vector<Expiry> expired;
  Version tombstones_below;  // tombstones of older versions go; zero: none
  std::size_t limit =
      10'000;  // rows that change or go, at most; 0: none, only `horizon` is asked for
};

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

// What the store cannot hold; checked at the call, so that nothing acknowledged is refused later. A
// key with a NUL byte, and text that is not UTF-8, come to no store.
struct StoreLimits {
  std::size_t max_document_bytes = SIZE_MAX;
  std::size_t max_key_bytes = SIZE_MAX;    // of a key with the name of its dataset
  bool refuses_nul_escape = false;         // "\u0000" in a string
  bool refuses_unbounded_numbers = false;  // numbers beyond what Postgres' numeric holds
  // Numbers come back without an exponent, 1e6 as 1000000: a document then counts, against the
  // limits of its bytes, as large as it is with its numbers written out.
  bool writes_numbers_out = false;
};

// Thread-safe. No function throws; each returns by its deadline, a hung server included. `project`
// keeps applications apart. Writes tolerate duplicates and any order: a row's version never goes
// back.
class Store {
 public:
  virtual ~Store() = default;

  // For logs and `health`: what and where, without credentials.
  virtual std::string describe() const = 0;
  virtual StoreLimits limits() const = 0;

  virtual LoadReply load(const std::string& project, std::span<const EntryId> ids,
                         SteadyTime deadline) = 0;
  virtual SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                         SteadyTime deadline) = 0;
  // Up to `limit` documents of a dataset (all datasets when empty), from `cursor` (empty: the
  // start).
  virtual ScanReply scan(const std::string& project, const std::string& dataset,
                         const std::string& cursor, std::size_t limit, SteadyTime deadline) = 0;
  // Leaves tombstones of `erase.version` for every key of the dataset that matches the glob and is
  // older. A store may stop after `erase.limit` rows and say where to go on.
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
  virtual PurgeReply purge(const std::string& /*project*/, const PurgeRequest& /*request*/,
                           SteadyTime /*deadline*/) {
    PurgeReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "this store does not purge";
    return reply;
  }
};

}  // namespace tiercache
