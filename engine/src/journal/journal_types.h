// What all parts of a journal speak of: its options, the answer to an append, its figures.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/quarantine.h"
#include "tiercache/file_system.h"

namespace tiercache {

struct JournalOptions {
  std::string directory;  // `<cache directory>/journal`
  std::string name;       // of this open cache; a folder that nobody used before
  // Drawn from the system's entropy: makes the segments' salts unlike any other's.
  std::uint64_t seed = 0;
  std::uint64_t segment_bytes = 4 << 20;  // preallocated; a larger record gets a segment of its own
  std::uint64_t max_bytes = 1ull << 30;   // live bytes; at it `append` answers `full`
  bool has_store = true;                  // false: records live only until their file is synced
  std::shared_ptr<Quarantine> quarantine = {};  // null: one of its own, of the default size
};

enum class AppendStatus : std::uint8_t {
  durable,      // synced
  full,         // `max_bytes` of live records: nothing was written
  not_applied,  // the disk refused; the record is nowhere and never will be
  unknown,      // the disk refused in the middle; the record may be found at the next open
};

struct AppendResult {
  AppendStatus status = AppendStatus::durable;
  IoStatus io;  // with `not_applied` and `unknown`
};

// What `Journal::compact` copies forward: what is due, or all but the newest segment.
enum class Compact : std::uint8_t { when_due, all };

struct JournalStats {
  std::uint64_t live_records = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t disk_bytes = 0;  // of all segments
  std::uint64_t segments = 0;
  std::uint64_t unsettled = 0;  // waiting for the store: the outbox's depth
  std::uint64_t parked = 0;
  std::uint64_t parked_bytes = 0;  // of the live ones
  std::uint64_t syncs = 0;
  std::uint64_t records_synced = 0;  // records_synced / syncs: the group commit's size
  std::uint64_t segments_abandoned = 0;
  std::uint64_t corrupt_records = 0;  // met at recovery and kept aside
  std::uint64_t lost_records = 0;     // of writes that only a deleted directory had
};

}  // namespace tiercache
