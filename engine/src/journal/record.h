// One record of the journal and its bytes. `docs/formats/journal.md` describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tiercache/entry.h"

namespace tiercache {

enum class RecordKind : std::uint8_t {
  content = 1,         // a document or a tombstone
  clocks = 2,          // only the clocks (and metadata) moved
  erase_matching = 3,  // `id.key` is a glob; everything of the dataset below the version is erased
  done = 4,  // the store settled (confirmed, superseded) this key up to this version; never synced
  parked = 5,  // the store refused this version for good; `why` says so
};

// The unconfirmed writes that a guarded one was made from. The store may get one of them, or none;
// so the guarded one holds for all that the first of them held for, and for rows that are one of
// them: those up to `up_to` by these writers. (A writer's rows of a key up to then are what it was
// made from, since within a directory each write of a key is made from the one before.)
struct Lineage {
  static constexpr std::size_t kMostWriters =
      16;  // beyond these the oldest goes, and may refuse it

  Version up_to;
  std::vector<std::uint32_t> writers = {};

  bool empty() const { return writers.empty(); }
  bool has(const Version& row) const;
  void add(const Version& write);
  friend bool operator==(const Lineage&, const Lineage&) = default;
};

// Of a guarded write.
struct Guard {
  Version not_newer_than;
  Lineage made_from;
};

// Whether a write with this guard and lineage may replace a row of this version.
bool guard_holds(const std::optional<Version>& not_newer_than, const Lineage& made_from,
                 const Version& row);

struct Record {
  RecordKind kind = RecordKind::content;
  EntryId id;
  Entry entry;
  std::optional<Version> not_newer_than;  // see StoreWrite
  Lineage made_from = {};                 // with `not_newer_than`
  // With `done` and `parked`: which record of the key they speak of (content, clocks,
  // erase_matching).
  RecordKind subject = RecordKind::content;
  std::string why;  // with `parked`; empty: it is parked no longer
};

// The payload of a record; the segment frames it with length and checksum.
std::string encode_record(const Record& record);

// `skip` leaves `entry.document` null, for readers that only need to know what lies where.
enum class DocumentBytes : std::uint8_t { read, skip };
// False, with `*out` in an unspecified state, when the bytes are no record of this version of the
// format.
bool decode_record(std::string_view payload, Record* out,
                   DocumentBytes document = DocumentBytes::read);

// `earlier`, another clocks record of the key, into `*record`: the clocks of both, the newer
// version, and its metadata.
void merge_clocks_records(const Record& earlier, Record* record);

// True when no clock of `part` is later than its counterpart in `whole`.
bool covers(const Clocks& whole, const Clocks& part);

}  // namespace tiercache
