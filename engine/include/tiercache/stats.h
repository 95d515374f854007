// What a cache counts and how its tiers are doing.
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

// Durations in buckets of powers of two. Bucket i counts those under 2^i microseconds that are in
// no bucket before it; the last one also counts all that are longer.
struct Histogram {
  static constexpr int kBuckets = 36;             // the last begins at about 5 hours
  std::array<std::uint64_t, kBuckets> buckets{};  // how many durations are in each
  std::uint64_t count = 0;                        // of all durations
  std::chrono::microseconds sum{0};               // of all durations

  // Upper bound of the bucket in which the q-th part (0 to 1) of the durations ends; 0 when empty.
  std::chrono::microseconds quantile(double q) const;
};

// What this process counted of one dataset since the cache was opened.
struct DatasetStats {
  std::string dataset;     // its name
  std::uint64_t keys = 0;  // documents known in the directory, no tombstones
  // Reads by the tier that served, stale or fresh; after a refresh that the read waited for, the
  // source.
  std::uint64_t memory_hits = 0, file_hits = 0, store_hits = 0, source_hits = 0;
  std::uint64_t misses = 0;        // reads that served nothing, or the fallback
  std::uint64_t stale_served = 0;  // how many of the hits were stale
  // Acceptable documents that were put, and calls of `erase` and `erase_matching`, whether or not
  // they became durable.
  std::uint64_t puts = 0, erases = 0;
  // Refreshes that brought the document that was there: only clocks and metadata moved.
  std::uint64_t unchanged = 0;
  // Refreshes begun, and how those ended that asked the source: `refresh_failures` did not bring
  // anything that could be kept. The rest brought a document, or run, or did not get a thread in
  // time.
  std::uint64_t refreshes = 0, refresh_failures = 0, not_modified = 0, not_found = 0;
  std::uint64_t undecodable = 0;  // met by reads, again each time one meets it
  Histogram read_latency;         // of reads not served from memory, misses included
  Histogram refresh_lateness;     // of scheduled refreshes, behind their due time
};

// What this process counted since the cache was opened. Figures of which it says «now» are as they
// stand. The prefixes name the part that counts.
struct Stats {
  // What memory holds now; `memory_bytes_pinned` is the part that waits for its file and cannot be
  // evicted.
  std::uint64_t memory_entries = 0, memory_bytes_charged = 0, memory_bytes_pinned = 0;
  // What was evicted for the budget; and what a lower tier gave, but a write had made old
  // meanwhile.
  std::uint64_t memory_evictions = 0, memory_refused_promotions = 0;
  // What is in files now, as far as the index knows: entries with their tombstones, bytes of
  // documents. What other processes did lately may be missing.
  std::uint64_t files_entries = 0, files_bytes = 0;
  std::uint64_t files_evictions = 0;      // documents evicted for the bounds of `FileOptions`
  std::uint64_t files_quarantined = 0;    // damaged or misplaced, found by this process
  std::uint64_t files_waiting = 0;        // keys whose file is to be written yet, now
  std::uint64_t files_failed_writes = 0;  // entry files that the disk did not take; tried again
  std::uint64_t quarantine_bytes = 0;     // kept there now, as far as this process knows
  std::uint64_t quarantine_deleted = 0;   // files deleted to keep its bound
  // Of this cache's own journal, now.
  std::uint64_t journal_live_records = 0, journal_live_bytes = 0, journal_disk_bytes = 0,
                journal_segments = 0;
  // How often the journal was synced, and how many records that made durable: writes share syncs.
  std::uint64_t journal_syncs = 0, journal_records_synced = 0;
  std::uint64_t journal_corrupt_records = 0;  // met at recovery and kept aside
  // Acknowledged writes that went with a directory that was deleted under the cache: of the journal
  // those that the store had not confirmed and memory no longer held; of the files, without a
  // store, documents that memory no longer held.
  std::uint64_t journal_lost = 0, files_lost = 0;
  // Writes that wait for the store, those that it refused for good, and how much of
  // `journal.max_bytes` the latter take.
  std::uint64_t outbox_depth = 0, outbox_parked = 0, outbox_parked_bytes = 0;
  // Calls that were made into the store, whatever they came to, and those of all of them that
  // failed as a whole; a row that the store refuses is no failed call.
  std::uint64_t store_loads = 0, store_saves = 0, store_polls = 0, store_purges = 0,
                store_failures = 0;
  // How often the store was found away, the calls that were not made meanwhile, and the single ones
  // by which it was tried.
  std::uint64_t store_outages = 0, store_not_asked = 0, store_probes = 0;
  std::uint64_t store_hints = 0;  // of changes, by which the feed was asked sooner
  // Met, and counted again each time; what they held is in the quarantine.
  std::uint64_t store_corrupt_rows = 0;
  // Tombstones and documents past their retention that this cache let go: of the store, of the
  // files.
  std::uint64_t retention_purged = 0, retention_dropped = 0;
  std::uint64_t refresh_running = 0;  // callbacks that have not returned yet, timed-out ones too
  Histogram put_latency;    // of every write, refreshes' and failed ones too, to its result
  Histogram store_latency;  // of every call, failed ones too
  std::vector<DatasetStats> datasets;  // that are open, by name
};

// What is known of a tier or a source from the calls that were made; nothing is asked for it.
struct TierHealth {
  // False: there is no such tier, or a flag has switched it off.
  bool enabled = true;
  // False: what was tried last failed. True says no more than that: where `last_worked` is absent
  // nothing was tried yet.
  bool working = true;
  std::optional<WallTime> since = {};  // not working since
  // When something of it last worked; absent: never since the cache was opened.
  std::optional<WallTime> last_worked = {};
  // While not working, when it is tried again at the latest, if there is anything to ask it. Until
  // then a store is not asked, and reads pass it by; of a source it is the key that failed last.
  // Absent where no such time is known.
  std::optional<WallTime> next_probe = {};
  // What it said last while not working. No secrets, but hosts, databases, users and paths: for
  // those who run the service.
  std::string why = {};
};

// How a cache and its surroundings are doing, as `Cache::health` knows it.
struct Health {
  // The tiers of this name, and the journal. Memory always works. The store counts as not working,
  // too, after it failed to answer for a write that was sent alone, until a write gets through:
  // then it may still answer reads.
  TierHealth memory, files, journal, store;
  // The change feed: not working while looks at it fail, or while the store says that it holds
  // changes up, so that other machines' writes and erases are noticed late. Not enabled: the store
  // has no feed, or `store_calls.poll_every` is 0.
  TierHealth store_feed;
  // The store's hints of changes; without them the polls alone tell, so `all_working` does not ask.
  TierHealth store_hints;
  // Of each dataset with a refresh callback, and each whose `get_or_load` has called one: whether
  // the refresh that ended last, of whichever key, brought something that could be kept.
  std::vector<std::pair<std::string, TierHealth>> sources;
  std::uint64_t outbox_depth = 0;  // writes that the store has not settled yet
  std::uint64_t parked = 0;        // writes that it refused for good; `Cache::outbox` lists them
  // The store is another one than the directory belongs to, or was reset or restored (its
  // incarnation is another one). Until it is accepted or repaired (`Cache::accept_store`,
  // `Cache::scrub`) the outbox waits, nothing that it has is kept here, and nothing is dropped here
  // for being absent there.
  std::optional<WallTime> store_replaced_since = {};
  // While that is so: the store that the directory belongs to, and this one, by name and
  // incarnation.
  std::string store_expected = {}, store_met = {};

  // No tier and no source is known not to work, nothing is parked, the store is the one that was
  // known.
  bool all_working() const;
};

// What is known of an entry without its document.
struct EntryInfo {
  Version version;         // of its content
  std::uint64_t size = 0;  // of the document, in bytes
  // The entry's clocks, as `Clocks` in entry.h explains them.
  std::optional<WallTime> last_fetch, last_rich_fetch, invalidated_at;
  std::string cache_version;  // the format that it was written in
  std::string metadata;       // a JSON object
};

// A page of keys, in byte order.
struct KeyPage {
  std::vector<std::string> keys;    // of documents, without tombstones
  std::optional<std::string> next;  // pass as `after` for the next page; absent at the end
};

}  // namespace tiercache
