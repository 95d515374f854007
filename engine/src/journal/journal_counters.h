// What the parts of a journal count while they work; `JournalStats` explains the figures.
#pragma once

#include <atomic>
#include <cstdint>

namespace tiercache {

// Thread-safe.
struct JournalCounters {
  std::atomic<std::uint64_t> syncs{0};
  std::atomic<std::uint64_t> records_synced{0};
  std::atomic<std::uint64_t> segments_abandoned{0};
  std::atomic<std::uint64_t> corrupt_records{0};
  std::atomic<std::uint64_t> lost_records{0};
};

}  // namespace tiercache
