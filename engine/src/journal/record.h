// One record of the journal and its bytes. `docs/formats/journal.md` describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tiercache/entry.h"

namespace tiercache {

enum class RecordKind : std::uint8_t {
  content = 1,         // a document or a tombstone
  clocks = 2,          // only the clocks (and metadata) moved
  erase_matching = 3,  // `id.key` is a glob; everything of the dataset below the version is erased
  done = 4,  // the store settled (confirmed, superseded) this key up to this version; never synced
  parked = 5,  // the store refused this version for good; `why` says so
};

struct Record {
  RecordKind kind = RecordKind::content;
  EntryId id;
  Entry entry;
  std::optional<Version> not_newer_than;  // see StoreWrite
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

// True when no clock of `part` is later than its counterpart in `whole`.
bool covers(const Clocks& whole, const Clocks& part);

}  // namespace tiercache
