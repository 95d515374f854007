// What the parts of a journal count while they work. `JournalStats` says what the figures mean.
#pragma once

#include <atomic>
#include <cstdint>

namespace tiercache {

// Owned by the journal and shared by its parts. Thread-safe without a lock.
struct JournalCounters {
  std::atomic<std::uint64_t> syncs{0};
  std::atomic<std::uint64_t> records_synced{0};
  std::atomic<std::uint64_t> segments_abandoned{0};
  std::atomic<std::uint64_t> corrupt_records{0};
  std::atomic<std::uint64_t> lost_records{0};
};

}  // namespace tiercache
