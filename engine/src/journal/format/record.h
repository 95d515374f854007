// One record of the journal, and how it becomes bytes and is read back. `docs/formats/journal.md`
// describes the bytes. These are values and pure functions; nothing here needs a lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tiercache/entry.h"

namespace tiercache {

// What a record says. The numbers are those on the disk.
enum class RecordKind : std::uint8_t {
  content = 1,         // the key's document or tombstone
  clocks = 2,          // only clocks and metadata moved
  erase_matching = 3,  // `id.key` is a glob: what matches it and is below the version is erased
  done = 4,            // a note: the store settled the subject up to this version
  parked = 5,          // a marker: the store refused this version of the subject for good
};

// True for the numbers of `RecordKind`.
constexpr bool is_record_kind(std::uint32_t number) {
  return number >= 1 && number <= 5;
}

// The unconfirmed writes that a guarded write was made from. The store may get one of them or none,
// so the guarded write may replace every row that the first of them might have replaced, and every
// row that is one of them: those up to `up_to` by these writers. (Within a directory each write of
// a key is made from the one before, so all rows of the key that one of these writers wrote up to
// then belong to the lineage.)
struct Lineage {
  // Beyond this many writers the oldest is dropped, whose row then makes the store refuse the
  // guarded write.
  static constexpr std::size_t kMostWriters = 16;

  Version up_to;
  std::vector<std::uint32_t> writers = {};  // oldest first

  bool empty() const { return writers.empty(); }
  // True if a row of this version is one of the writes.
  bool has(const Version& row) const;
  // Adds a write, which is newer than those before.
  void add(const Version& write);
  friend bool operator==(const Lineage&, const Lineage&) = default;
};

// What a guarded write is compared with: it may replace rows that are not newer than this, and rows
// that it was made from.
struct Guard {
  Version not_newer_than;
  Lineage made_from;
};

// True if a write with this guard and lineage may replace a row of this version. Without a guard it
// may replace any.
bool guard_holds(const std::optional<Version>& not_newer_than, const Lineage& made_from,
                 const Version& row);

// One record, decoded.
struct Record {
  RecordKind kind = RecordKind::content;
  EntryId id;
  Entry entry;
  std::optional<Version> not_newer_than;  // the guard; `StoreWrite` explains it
  Lineage made_from = {};                 // only with `not_newer_than`
  // Of `done` and `parked`: the kind of the record that they speak of, which is content, clocks or
  // erase_matching.
  RecordKind subject = RecordKind::content;
  std::string why;  // of `parked`; empty says that the subject is parked no longer
  // Not written. Of what a dead owner left: its file was written and synced, so that it was removed
  // since if it is not there.
  bool was_filed = false;
};

// The payload of a record. A segment puts a frame with length and checksum around it.
std::string encode_record(const Record& record);

// `skip` leaves `entry.document` null, for readers that only need to know what lies where.
enum class DocumentBytes : std::uint8_t { read, skip };
// Reads a payload back. False if the bytes are no record of this format; `*out` is unspecified
// then.
bool decode_record(std::string_view payload, Record* out,
                   DocumentBytes document = DocumentBytes::read);

// Merges `earlier`, another clocks record of the same key, into `*record`, which then has the later
// of each clock, the newer version, and that version's metadata.
void merge_clocks_records(const Record& earlier, Record* record);

// True when no clock of `part` is later than its counterpart in `whole`.
bool covers(const Clocks& whole, const Clocks& part);

}  // namespace tiercache
