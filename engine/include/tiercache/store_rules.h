// What a write does to a row, as pure functions, for stores that read a row, decide and write it
// back. Stores that decide in SQL must come to the same results; `testing/store_conformance.h`
// tests that.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "tiercache/store.h"

namespace tiercache {

// What `apply_write` decided. With `superseded` a store reports the row as it then is: `row` if
// that is set, and the old one otherwise.
struct AppliedWrite {
  SaveOutcome outcome = SaveOutcome::saved;  // the outcome to report
  std::optional<Entry> row;  // the row that replaces the old one; absent: the old one stays
};

// Merges clocks into an entry: it takes the later of each. If the clocks belong to the entry's very
// content (`of_this_content`) and come with metadata, the entry also takes the metadata of the
// later fetch; empty metadata changes nothing. Clocks and content are brought together by this
// function everywhere, in stores and in the engine.
inline void merge_clocks(Entry* entry, const Clocks& clocks, const std::string& metadata,
                         bool of_this_content) {
  const bool later = clocks.last_fetch >= entry->clocks.last_fetch;
  const bool says_more = !metadata.empty() && (later || entry->metadata.empty());
  if (of_this_content && says_more) entry->metadata = metadata;
  entry->clocks.merge(clocks);
}

namespace detail {

// Returns the row after a write of clocks; nullopt if that changes nothing.
inline std::optional<Entry> moved_clocks(const Entry& row, const Entry& write,
                                         bool of_this_content) {
  Entry moved = row;
  merge_clocks(&moved, write.clocks, write.metadata, of_this_content);
  if (moved.clocks == row.clocks && moved.metadata == row.metadata) return std::nullopt;
  return moved;
}

}  // namespace detail

// Decides what the write does to the row that is there; `row` is null if there is none. The store
// must see to it that nobody changes the row between reading and replacing it. Before this it
// checks its limits, and `refused_as_purged` if it purges.
inline AppliedWrite apply_write(const Entry* row, const StoreWrite& write) {
  const bool content = write.kind == StoreWrite::Kind::content;
  if (!row) {
    return content ? AppliedWrite{SaveOutcome::saved, write.entry}
                   : AppliedWrite{SaveOutcome::superseded, std::nullopt};
  }
  const bool same = row->version == write.entry.version && row->checksum == write.entry.checksum &&
                    row->kind == write.entry.kind;
  const bool guard_fails = write.not_newer_than && row->version > *write.not_newer_than;
  if (guard_fails && !(content && same)) return {SaveOutcome::superseded, std::nullopt};
  if (content && row->version < write.entry.version) {
    Entry replaced = write.entry;
    replaced.clocks.merge(row->clocks);
    return {SaveOutcome::saved, std::move(replaced)};
  }
  // The content stands; what is left to move are clocks.
  std::optional<Entry> moved =
      detail::moved_clocks(*row, write.entry, content ? same : row->version == write.entry.version);
  if (content) return {same ? SaveOutcome::already_saved : SaveOutcome::superseded, moved};
  if (row->version > write.entry.version) return {SaveOutcome::superseded, moved};
  return {moved ? SaveOutcome::saved : SaveOutcome::already_saved, moved};
}

// Returns why a store that has purged tombstones up to `horizon` refuses the write for good; empty
// if it does not. `row` is null if there is none.
inline std::string refused_as_purged(const Entry* row, const StoreWrite& write,
                                     const Version& horizon) {
  const bool document =
      write.kind == StoreWrite::Kind::content && write.entry.kind == EntryKind::document;
  if (row || !document || horizon.is_zero() || write.entry.version > horizon) return {};
  return "the write is older than what the store has purged, so the entry may have been erased "
         "since: put it again, or discard it";
}

// Returns the version of the tombstone that takes the place of a document whose retention is over:
// one tick above the document's.
inline Version expired_version(const Version& version) {
  return {version.time + 1, version.writer};
}

// Returns the tombstone that `erase_matching` leaves in a row's place. It keeps the row's clocks.
inline Entry tombstone_of(const Entry& row, Version version) {
  Entry tombstone;
  tombstone.kind = EntryKind::tombstone;
  tombstone.version = version;
  tombstone.clocks = row.clocks;
  tombstone.cache_version = row.cache_version;
  return tombstone;
}

}  // namespace tiercache
