// What a cache counts and how its tiers are doing.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/time.h"
#include "tiercache/version.h"

namespace tiercache {

// Durations in buckets of powers of two: bucket i counts those under 2^i microseconds.
struct Histogram {
  static constexpr int kBuckets = 36;
  std::array<std::uint64_t, kBuckets> buckets{};
  std::uint64_t count = 0;
  std::chrono::microseconds sum{0};

  // Upper bound of the bucket in which the q-th part (0 to 1) of the durations ends; 0 when empty.
  std::chrono::microseconds quantile(double q) const;
};

// Of one dataset since the cache was opened.
struct DatasetStats {
  std::string dataset;
  std::uint64_t keys = 0;  // documents known in the directory
  std::uint64_t memory_hits = 0, file_hits = 0, store_hits = 0, source_hits = 0;
  std::uint64_t misses = 0;        // nothing served (fallbacks included)
  std::uint64_t stale_served = 0;  // of the hits
  std::uint64_t puts = 0, erases = 0;
  std::uint64_t unchanged = 0;  // refreshes that brought the same document: only clocks moved
  std::uint64_t refreshes = 0, refresh_failures = 0, not_modified = 0, not_found = 0;
  std::uint64_t undecodable = 0;
  Histogram read_latency;      // of reads that memory alone could not serve
  Histogram refresh_lateness;  // of scheduled refreshes, behind their due time
};

// Prefixes are the rooms.
struct Stats {
  std::uint64_t memory_entries = 0, memory_bytes_charged = 0, memory_bytes_pinned = 0,
                memory_evictions = 0, memory_refused_promotions = 0;
  std::uint64_t files_entries = 0, files_bytes = 0, files_evictions = 0, files_quarantined = 0,
                files_waiting = 0, files_failed_writes = 0;
  std::uint64_t quarantine_bytes = 0, quarantine_deleted = 0;  // deleted to keep its bound
  std::uint64_t journal_live_records = 0, journal_live_bytes = 0, journal_disk_bytes = 0,
                journal_segments = 0, journal_syncs = 0, journal_records_synced = 0,
                journal_corrupt_records = 0;
  // Acknowledged writes that went with a directory that was deleted under the cache: of the journal
  // those that the store had not confirmed and memory no longer held; of the files, without a store,
  // documents that memory no longer held.
  std::uint64_t journal_lost = 0, files_lost = 0;
  std::uint64_t outbox_depth = 0, outbox_parked = 0;
  std::uint64_t store_loads = 0, store_saves = 0, store_polls = 0, store_purges = 0,
                store_failures = 0;  // round trips
  // How often the store was found away, the calls that were not made meanwhile, and the single ones
  // by which it was tried.
  std::uint64_t store_outages = 0, store_not_asked = 0, store_probes = 0;
  std::uint64_t store_hints = 0;         // of changes, by which the feed was asked sooner
  std::uint64_t store_corrupt_rows = 0;  // met; what they held is in the quarantine
  // Tombstones and documents past their retention that this cache let go: of the store, of the files.
  std::uint64_t retention_purged = 0, retention_dropped = 0;
  std::uint64_t refresh_running = 0;
  Histogram put_latency, store_latency;
  std::vector<DatasetStats> datasets;
};

struct TierHealth {
  bool enabled = true;
  bool working = true;
  std::optional<WallTime> since;  // not working since
  // Of a store that does not work: when it is tried again at the latest, if there is anything to
  // ask it. Until then it is not asked, and reads pass it by.
  std::optional<WallTime> next_probe = {};
  std::string why;  // what it said last while not working; no secrets
};

struct Health {
  TierHealth memory, files, journal, store;
  // The change feed: not working while looks at it fail, or while the store says that it holds changes up, so
  // that other machines' writes and erases are noticed late. Not enabled: the store has no feed, or
  // `store_calls.poll_every` is 0.
  TierHealth store_feed;
  // The store's hints of changes; without them the polls alone tell, so `all_working` does not ask.
  TierHealth store_hints;
  std::vector<std::pair<std::string, TierHealth>> sources;  // per dataset with a refresh callback
  std::uint64_t outbox_depth = 0;
  std::uint64_t parked = 0;
  // The store was reset or restored since the directory knew it (its incarnation is another one).
  // Until that is repaired nothing is dropped here for being absent there.
  std::optional<WallTime> store_replaced_since = {};

  bool all_working() const;
};

// What is known of an entry without its document.
struct EntryInfo {
  Version version;
  std::uint64_t size = 0;  // of the document, in bytes
  std::optional<WallTime> last_fetch, last_rich_fetch, invalidated_at;
  std::string cache_version;
  std::string metadata;  // a JSON object
};

// A page of keys, in byte order.
struct KeyPage {
  std::vector<std::string> keys;
  std::optional<std::string> next;  // pass as `after` for the next page; absent at the end
};

}  // namespace tiercache
