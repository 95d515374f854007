// What all parts of a journal share: its options, the answer to an append, its figures. These are
// plain values; nothing here needs a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/quarantine.h"
#include "tiercache/file_system.h"

namespace tiercache {

struct JournalOptions {
  std::string directory;  // `<cache directory>/journal`
  std::string name;       // of this open cache's folder; one that nobody has used before
  // Drawn from the system's entropy, so that no other segment has the salts of this journal's.
  std::uint64_t seed = 0;
  std::uint64_t segment_bytes = 4 << 20;  // room for frames; a larger record gets its own segment
  std::uint64_t max_bytes = 1ull << 30;   // of live records; a write beyond it is answered `full`
  bool has_store = true;                  // false: a record is live only until its file is synced
  // Null makes the journal use one of its own, of the default size, beside `directory`.
  std::shared_ptr<Quarantine> quarantine = {};
};

// What became of a record.
enum class AppendStatus : std::uint8_t {
  durable,      // it is synced
  full,         // it would have exceeded `max_bytes`; nothing was written
  not_applied,  // the disk refused, or the journal is closed; the record is and will be nowhere
  unknown,      // the disk failed in the middle; the next open may find the record
};

struct AppendResult {
  AppendStatus status = AppendStatus::durable;
  IoStatus io;  // why; set with `not_applied` and `unknown`
};

// What `Journal::compact` copies forward: what is due, or all segments but the current one.
enum class Compact : std::uint8_t { when_due, all };

// Figures of one journal. Those up to `parked_bytes` say how things are now, the others count since
// the journal was opened.
struct JournalStats {
  std::uint64_t live_records = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t disk_bytes = 0;  // of all segment files
  std::uint64_t segments = 0;
  std::uint64_t unsettled = 0;     // writes that wait for the store: the depth of the outbox
  std::uint64_t parked = 0;        // writes that the store refused for good
  std::uint64_t parked_bytes = 0;  // the part of `live_bytes` that belongs to them
  std::uint64_t syncs = 0;
  std::uint64_t records_synced = 0;      // divided by `syncs`: the size of a group commit
  std::uint64_t segments_abandoned = 0;  // after a failed write or sync
  std::uint64_t corrupt_records = 0;     // kept aside by an adoption, or parked by a reader
  std::uint64_t lost_records = 0;        // writes that only a deleted directory had
};

}  // namespace tiercache
