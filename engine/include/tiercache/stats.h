// What a cache counts, and how its tiers are doing. All types here are plain values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/time.h"
#include "tiercache/version.h"

namespace tiercache {

// Durations, counted in buckets whose bounds are powers of two. Bucket i counts those shorter than
// 2^i microseconds that no bucket before it counts; the last one also counts all that are longer.
struct Histogram {
  static constexpr int kBuckets = 36;             // the last begins at about 5 hours
  std::array<std::uint64_t, kBuckets> buckets{};  // how many durations are in each
  std::uint64_t count = 0;                        // how many durations there are
  std::chrono::microseconds sum{0};               // how long they are together

  // Returns the q-quantile of the durations, rounded up to the upper bound of its bucket; 0 if
  // there are none. The quantile is the duration of rank `q * count`, rounded up: 0.99 of ten
  // durations is the longest. `q` is from 0 to 1, and anything else counts as the nearer of the
  // two.
  std::chrono::microseconds quantile(double q) const;
};

// What this process counted for one dataset since the cache was opened.
struct DatasetStats {
  std::string dataset;     // its name
  std::uint64_t keys = 0;  // how many documents the directory has now, as far as is known here
  // Reads by the tier that served them, stale or fresh. A read that waited for a refresh and served
  // what that brought counts for the source.
  std::uint64_t memory_hits = 0, file_hits = 0, store_hits = 0, source_hits = 0;
  std::uint64_t misses = 0;        // reads that served nothing, or the fallback
  std::uint64_t stale_served = 0;  // how many of the hits were no longer fresh
  // How many acceptable documents were put, and how often `erase` and `erase_matching` were called,
  // whether or not the writes became durable.
  std::uint64_t puts = 0, erases = 0;
  // Refreshes that brought the document that was there already: only clocks and metadata moved.
  std::uint64_t unchanged = 0;
  // Refreshes that were begun, and how those ended that asked the source: `refresh_failures`
  // brought nothing that could be kept. The others brought a document, still run, or did not get a
  // thread in time.
  std::uint64_t refreshes = 0, refresh_failures = 0, not_modified = 0, not_found = 0;
  std::uint64_t undecodable = 0;  // undecodable documents, counted each time a read meets one
  Histogram read_latency;         // of reads that memory did not serve, misses included
  Histogram refresh_lateness;     // how long after its due time each scheduled refresh began
};

// What this process counted since the cache was opened; where a comment says «now», the figure is
// the present one. The first word of each name is the part that it is about.
struct Stats {
  // What memory holds now. `memory_bytes_pinned` is the part of it that waits for its file and
  // cannot be evicted.
  std::uint64_t memory_entries = 0, memory_bytes_charged = 0, memory_bytes_pinned = 0;
  // Entries that were evicted to keep the budget, and entries loaded from a lower tier but not
  // kept, because a newer write had arrived.
  std::uint64_t memory_evictions = 0, memory_refused_promotions = 0;
  // What is in files now, as far as the index knows: entries, tombstones included, and the bytes of
  // documents. What other processes did recently may be missing.
  std::uint64_t files_entries = 0, files_bytes = 0;
  std::uint64_t files_evictions = 0;      // documents evicted for the bounds of `FileOptions`
  std::uint64_t files_quarantined = 0;    // damaged or misplaced files that this process found
  std::uint64_t files_waiting = 0;        // keys whose file is still to be written, now
  std::uint64_t files_failed_writes = 0;  // times the disk did not take an entry file; tried again
  std::uint64_t quarantine_bytes = 0;     // held in quarantine now, as far as this process knows
  std::uint64_t quarantine_deleted = 0;   // files deleted to keep the bound of the quarantine
  // What this cache's own journal holds now.
  std::uint64_t journal_live_records = 0, journal_live_bytes = 0, journal_disk_bytes = 0,
                journal_segments = 0;
  // How often the journal was synced, and how many records that made durable. Writes share syncs.
  std::uint64_t journal_syncs = 0, journal_records_synced = 0;
  std::uint64_t journal_corrupt_records = 0;  // found when journals were read, and kept aside
  // Acknowledged writes that were lost with a directory that somebody deleted under the cache:
  // records that the store had not confirmed and memory no longer held, and, without a store,
  // documents that memory no longer held.
  std::uint64_t journal_lost = 0, files_lost = 0;
  // Now: how many writes wait for the store, how many are parked, because it refused them for good,
  // and how much of `journal.max_bytes` the latter take.
  std::uint64_t outbox_depth = 0, outbox_parked = 0, outbox_parked_bytes = 0;
  // Calls into the store, however they ended, and how many of all calls failed as a whole. A call
  // in which the store refuses a single row has not failed.
  std::uint64_t store_loads = 0, store_saves = 0, store_polls = 0, store_purges = 0,
                store_failures = 0;
  // How often the store was found to be away, how many calls were not made because of that, and how
  // many were made to see whether it was back.
  std::uint64_t store_outages = 0, store_not_asked = 0, store_probes = 0;
  std::uint64_t store_hints = 0;  // hints of changes that came, each of which hurries the feed
  // Corrupt rows, counted each time one is met; what they held is in the quarantine.
  std::uint64_t store_corrupt_rows = 0;
  // Tombstones and documents past their retention that this cache purged from the store, and
  // dropped from the files.
  std::uint64_t retention_purged = 0, retention_dropped = 0;
  std::uint64_t refresh_running = 0;  // callbacks that run now, those that timed out included
  Histogram put_latency;    // of every write until its result, refreshes' and failed ones too
  Histogram store_latency;  // of every call into the store, failed ones too
  std::vector<DatasetStats> datasets;  // of the open datasets, by name
};

// What is known of a tier or a source from the calls that were made; no call is made to find out.
struct TierHealth {
  // False if there is no such tier, or a flag has switched it off.
  bool enabled = true;
  // False if the last attempt failed. True if it succeeded, or if nothing was tried yet (then
  // `last_worked` is absent).
  bool working = true;
  std::optional<WallTime> since = {};  // since when it has not been working
  // When it last worked; absent if it never has since the cache was opened.
  std::optional<WallTime> last_worked = {};
  // While it is not working: when it is tried again at the latest, if there is anything to ask.
  // Until then a store is not asked, and reads go past it; for a source this is about the key that
  // failed last. Absent if no such time is known.
  std::optional<WallTime> next_probe = {};
  // While it is not working: what it last said, or which flag has switched it off. It holds no
  // secrets, but may name hosts, databases, users and paths, and so is for those who run the
  // service.
  std::string why = {};
};

// How a cache and its surroundings are doing, as `Cache::health` knows it.
struct Health {
  // The tiers of these names, and the journal. Memory always works. The store also counts as not
  // working if it failed to answer for a write that was sent alone, until a write gets through; it
  // may still answer reads then.
  TierHealth memory, files, journal, store;
  // The change feed. It is not working while looks at it fail, or while the store says that it
  // holds changes up, so that other machines' writes and erases are noticed late. It is not enabled
  // if the store has no feed, or if `store_calls.poll_every` is 0.
  TierHealth store_feed;
  // The store's hints of changes. `all_working` ignores them, because without them changes are
  // still noticed by polling.
  TierHealth store_hints;
  // For each dataset that has a refresh callback, or whose `get_or_load` has called one: whether
  // the call that ended last, of whichever key, brought something that could be kept. The plain
  // callback (with those of `get_or_load`) and the rich one are judged each by itself, and the
  // source is not working as long as one of the two fails.
  std::vector<std::pair<std::string, TierHealth>> sources;
  std::uint64_t outbox_depth = 0;  // writes that wait for the store, parked ones not counted
  std::uint64_t parked = 0;        // writes that it refused for good; `Cache::outbox` lists them
  // Since when the store has been another one than the directory belongs to, which it also is after
  // a reset or restore that changed its incarnation. Until it is accepted or repaired
  // (`Cache::accept_store`, `Cache::scrub`) the outbox waits, and nothing is dropped here because
  // it is missing there; what a store of another description has is not kept here either. Absent if
  // the store is the right one.
  std::optional<WallTime> store_replaced_since = {};
  // Meanwhile the name and incarnation of the store that the directory belongs to, and of this one.
  // Empty otherwise.
  std::string store_expected = {}, store_met = {};

  // Returns true if no tier and no source is known not to work, nothing is parked, and the store is
  // the one that the directory belongs to.
  bool all_working() const;
};

// What is known of an entry without its document.
struct EntryInfo {
  Version version;         // of its content
  std::uint64_t size = 0;  // of the document, in bytes
  // The entry's clocks, which `Clocks` in entry.h explains.
  std::optional<WallTime> last_fetch, last_rich_fetch, invalidated_at;
  std::string cache_version;  // the document's format (`BasicDatasetOptions::cache_version`)
  std::string metadata;       // a JSON object
};

// A page of keys, in byte order.
struct KeyPage {
  std::vector<std::string> keys;    // of documents, without tombstones
  std::optional<std::string> next;  // pass it as `after` for the next page; absent at the end
};

}  // namespace tiercache
