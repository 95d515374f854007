// One dataset of an open cache: its policy, its number, its counters.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/key_ref.h"
#include "base/schedule.h"
#include "cache/runtime/counters.h"
#include "cache/runtime/health_mark.h"
#include "cache/runtime/judge.h"
#include "tiercache/detail/dataset_core.h"

namespace tiercache::detail {

struct DatasetCounters {
  Counter memory_hits, file_hits, store_hits, source_hits;
  Counter misses, stale_served;
  Counter puts, erases, unchanged;
  Counter refreshes, refresh_failures, not_modified, not_found;
  Counter undecodable;
  DurationCounter read_latency, refresh_lateness;
};

// Lives as long as `Datasets`. Thread-safe: the policy is fixed, the rest guards itself.
struct DatasetState {
  DatasetState(std::string dataset_name, std::uint32_t dataset_number, DatasetPolicy dataset_policy,
               std::chrono::milliseconds memory_ttl, Log& log, const Clock& clock);

  KeyRef ref(std::string_view key) const { return KeyRef(number, key); }
  EntryId id(std::string_view key) const { return EntryId{name, std::string(key)}; }
  Schedule schedule(Cadence cadence) const;
  // The value of a document, checked by the dataset's `validate`. Throws when it does not decode or
  // is not accepted.
  Decoded decode(const std::string& document) const;
  // The entry as memory holds it. Throws as `decode` does.
  std::shared_ptr<Resident> resident_of(const Entry& entry) const;

  const std::string name;
  const std::uint32_t number;
  const DatasetPolicy policy;
  const AgePolicy ages;
  DatasetCounters counters;
  // How the refresh that ended last went, of whichever key: by a callback of a call's own or the
  // dataset's plain one, and by the rich one.
  HealthMark source;
  HealthMark rich_source;
  // True once its first hydration has ended, with success or without. Until then the store's
  // timestamps are not known, and nothing in the dataset is judged overdue.
  std::atomic<bool> hydrated{false};
};

}  // namespace tiercache::detail
