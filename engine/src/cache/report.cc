// What an open cache says of itself: `stats` and `health`.
#include <utility>

#include "cache/change_feed.h"
#include "cache/core.h"
#include "cache/directory_keeper.h"
#include "cache/file_eviction.h"
#include "cache/file_writer.h"
#include "cache/retention.h"
#include "cache/store_identity.h"

namespace tiercache::detail {

namespace {

DatasetStats stats_of(const DatasetState& dataset, const Index& index) {
  const DatasetCounters& counters = dataset.counters;
  DatasetStats stats;
  stats.dataset = dataset.name;
  stats.keys = index.count(dataset.name);
  stats.memory_hits = counters.memory_hits.read();
  stats.file_hits = counters.file_hits.read();
  stats.store_hits = counters.store_hits.read();
  stats.source_hits = counters.source_hits.read();
  stats.misses = counters.misses.read();
  stats.stale_served = counters.stale_served.read();
  stats.puts = counters.puts.read();
  stats.erases = counters.erases.read();
  stats.unchanged = counters.unchanged.read();
  stats.refreshes = counters.refreshes.read();
  stats.refresh_failures = counters.refresh_failures.read();
  stats.not_modified = counters.not_modified.read();
  stats.not_found = counters.not_found.read();
  stats.undecodable = counters.undecodable.read();
  stats.read_latency = counters.read_latency.read();
  stats.refresh_lateness = counters.refresh_lateness.read();
  return stats;
}

TierHealth health_of(const Breaker::State& store) {
  TierHealth health;
  health.working = !store.open;
  health.since = store.since;
  health.last_worked = store.last_worked;
  health.next_probe = store.next_probe;
  health.why = store.why;
  return health;
}

}  // namespace

Stats Core::stats() const {
  Stats stats;
  const MemoryStats in_memory = memory->stats();
  stats.memory_entries = in_memory.entries;
  stats.memory_bytes_charged = in_memory.bytes_charged;
  stats.memory_bytes_pinned = in_memory.bytes_pinned;
  stats.memory_evictions = in_memory.evictions;
  stats.memory_refused_promotions = in_memory.refused_promotions;
  stats.files_entries = files->index().size();
  stats.files_bytes = files->index().totals().bytes;
  stats.files_evictions = file_eviction->evicted();
  stats.files_lost = directory_keeper->lost_documents();
  stats.files_quarantined = files->quarantined();
  const QuarantineStats aside = quarantine->stats();
  stats.quarantine_bytes = aside.bytes;
  stats.quarantine_deleted = aside.deleted;
  stats.files_waiting = file_writer->waiting();
  stats.files_failed_writes = file_writer->failed_writes();
  const JournalStats in_journal = journal->stats();
  stats.journal_live_records = in_journal.live_records;
  stats.journal_live_bytes = in_journal.live_bytes;
  stats.journal_disk_bytes = in_journal.disk_bytes;
  stats.journal_segments = in_journal.segments;
  stats.journal_syncs = in_journal.syncs;
  stats.journal_records_synced = in_journal.records_synced;
  stats.journal_corrupt_records = in_journal.corrupt_records;
  stats.journal_lost = in_journal.lost_records;
  stats.outbox_depth = in_journal.unsettled;
  stats.outbox_parked = in_journal.parked;
  stats.outbox_parked_bytes = in_journal.parked_bytes;
  stats.store_loads = store_loads.read();
  stats.store_saves = store_saves.read();
  stats.store_polls = store_polls.read();
  stats.store_purges = store_purges.read();
  stats.store_hints = store_hints.read();
  stats.store_corrupt_rows = store_corrupt_rows.read();
  stats.store_failures = store_failures.read();
  stats.retention_purged = retention->purged_in_store();
  stats.retention_dropped = retention->dropped_here();
  if (breaker) {
    const Breaker::State asked = breaker->state();
    stats.store_not_asked = asked.refused;
    stats.store_outages = asked.opened;
    stats.store_probes = asked.probes;
  }
  stats.refresh_running = static_cast<std::uint64_t>(flights->callbacks_running());
  stats.put_latency = put_latency.read();
  stats.store_latency = store_latency.read();
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) {
    stats.datasets.push_back(stats_of(*dataset, files->index()));
  }
  return stats;
}

Health Core::health() const {
  Health health;
  health.memory.last_worked = clock->wall_now();  // it is this process's own
  const TierHealth directory = marks->directory.read();
  health.files =
      merged(directory, merged(marks->file_writes.read(),
                               merged(marks->file_syncs.read(), marks->file_reads.read())));
  health.journal = merged(directory, merged(marks->journal.read(), marks->adoption.read()));
  health.store.enabled = store != nullptr;
  if (breaker) health.store = merged(health_of(breaker->state()), marks->saves.read());
  health.store_replaced_since = store_identity->replaced_since();
  if (health.store_replaced_since) {
    StoreIdentity::Names names = store_identity->names();
    health.store_expected = std::move(names.expected);
    health.store_met = std::move(names.met);
  }
  if (!store && options.store) health.store.why = "switched off by the flag store_enabled";
  health.store_feed = change_feed->health();
  health.store_hints = change_feed->hints_health();
  const JournalStats in_journal = journal->stats();
  health.outbox_depth = in_journal.unsettled;
  health.parked = in_journal.parked;
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) {
    TierHealth source = dataset->source.read();
    const bool asked = source.last_worked || !source.working;
    if (asked || dataset->policy.refresh || dataset->policy.rich_refresh) {
      health.sources.emplace_back(name, std::move(source));
    }
  }
  return health;
}

}  // namespace tiercache::detail
