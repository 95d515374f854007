// What an open cache says of itself: `stats` and `health`.
#include <utility>

#include "cache/core.h"

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
  const MemoryStats in_memory = local_->memory().stats();
  stats.memory_entries = in_memory.entries;
  stats.memory_bytes_charged = in_memory.bytes_charged;
  stats.memory_bytes_pinned = in_memory.bytes_pinned;
  stats.memory_evictions = in_memory.evictions;
  stats.memory_refused_promotions = in_memory.refused_promotions;
  stats.files_entries = local_->index().size();
  stats.files_bytes = local_->index().totals().bytes;
  stats.files_evictions = upkeep_->eviction.evicted();
  stats.files_lost = upkeep_->keeper.lost_documents();
  stats.files_quarantined = local_->files().quarantined();
  const QuarantineStats aside = local_->quarantine().stats();
  stats.quarantine_bytes = aside.bytes;
  stats.quarantine_deleted = aside.deleted;
  stats.files_waiting = file_writer_->waiting();
  stats.files_failed_writes = file_writer_->failed_writes();
  const JournalStats in_journal = local_->journal().stats();
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
  stats.store_loads = calls_->loads.read();
  stats.store_saves = calls_->saves.read();
  stats.store_polls = calls_->polls.read();
  stats.store_purges = calls_->purges.read();
  stats.store_hints = upkeep_->feed.hints();
  stats.store_corrupt_rows = calls_->corrupt_rows.read();
  stats.store_failures = calls_->failures.read();
  stats.retention_purged = upkeep_->retention.purged_in_store();
  stats.retention_dropped = upkeep_->retention.dropped_here();
  if (calls_->uses_store()) {
    const Breaker::State asked = calls_->breaker()->state();
    stats.store_not_asked = asked.refused;
    stats.store_outages = asked.opened;
    stats.store_probes = asked.probes;
  }
  stats.refresh_running = static_cast<std::uint64_t>(refreshes_->callbacks_running());
  stats.put_latency = writes_->latency.read();
  stats.store_latency = calls_->latency.read();
  runtime_.datasets.for_each([&](const DatasetState& dataset) {
    stats.datasets.push_back(stats_of(dataset, local_->index()));
  });
  return stats;
}

Health Core::health() const {
  Health health;
  health.memory.last_worked = runtime_.clock->wall_now();  // it is this process's own
  const TierHealth directory = runtime_.marks.directory.read();
  health.files =
      merged(directory,
             merged(runtime_.marks.file_writes.read(),
                    merged(runtime_.marks.file_syncs.read(), runtime_.marks.file_reads.read())));
  health.journal =
      merged(directory, merged(runtime_.marks.journal.read(), runtime_.marks.adoption.read()));
  health.store.enabled = calls_->uses_store();
  if (calls_->uses_store())
    health.store = merged(health_of(calls_->breaker()->state()), runtime_.marks.saves.read());
  health.store_replaced_since = identity_->replaced_since();
  if (health.store_replaced_since) {
    StoreIdentity::Names names = identity_->names();
    health.store_expected = std::move(names.expected);
    health.store_met = std::move(names.met);
  }
  if (!calls_->uses_store() && runtime_.options.store)
    health.store.why = "switched off by the flag store_enabled";
  health.store_feed = upkeep_->feed.health();
  health.store_hints = upkeep_->feed.hints_health();
  const JournalStats in_journal = local_->journal().stats();
  health.outbox_depth = in_journal.unsettled;
  health.parked = in_journal.parked;
  runtime_.datasets.for_each([&](const DatasetState& dataset) {
    TierHealth source = merged(dataset.source.read(), dataset.rich_source.read());
    const bool asked = source.last_worked || !source.working;
    if (asked || dataset.policy.refresh || dataset.policy.rich_refresh) {
      health.sources.emplace_back(dataset.name, std::move(source));
    }
  });
  return health;
}

}  // namespace tiercache::detail
