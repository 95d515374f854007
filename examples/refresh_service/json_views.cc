#include "refresh_service/json_views.h"

#include <chrono>
#include <string>

namespace refresh_service {

using nlohmann::json;

namespace {

json view(const tiercache::Histogram& histogram) {
  return {{"count", histogram.count},
          {"p50_us", histogram.quantile(0.5).count()},
          {"p99_us", histogram.quantile(0.99).count()},
          {"sum_us", histogram.sum.count()}};
}

json view(const tiercache::DatasetStats& stats) {
  return {{"keys", stats.keys},
          {"memory_hits", stats.memory_hits},
          {"file_hits", stats.file_hits},
          {"store_hits", stats.store_hits},
          {"source_hits", stats.source_hits},
          {"misses", stats.misses},
          {"stale_served", stats.stale_served},
          {"puts", stats.puts},
          {"erases", stats.erases},
          {"refreshes", stats.refreshes},
          {"refresh_failures", stats.refresh_failures},
          {"not_modified", stats.not_modified},
          {"not_found", stats.not_found},
          {"undecodable", stats.undecodable},
          {"read_latency", view(stats.read_latency)},
          {"refresh_lateness", view(stats.refresh_lateness)}};
}

json view(const tiercache::TierHealth& tier) {
  if (!tier.enabled) return {{"enabled", false}};
  json view = {{"working", tier.working}};
  if (tier.last_worked) view["last_worked_ms"] = tier.last_worked->time_since_epoch().count();
  if (tier.working) return view;
  view["why"] = tier.why;
  if (tier.next_probe) view["next_probe_ms"] = tier.next_probe->time_since_epoch().count();
  if (tier.since) view["since_ms"] = tier.since->time_since_epoch().count();
  return view;
}

bool works(const tiercache::TierHealth& tier) {
  return !tier.enabled || tier.working;
}

std::string status_of(const tiercache::Health& health, bool ready) {
  if (!works(health.files) || !works(health.journal)) return "failing";
  if (!ready) return "starting";
  return health.all_working() ? "ok" : "degraded";
}

}  // namespace

json view(const tiercache::Passage& passage) {
  return {{"memory", to_string(passage.memory)},
          {"files", to_string(passage.files)},
          {"store", to_string(passage.store)},
          {"source", to_string(passage.source)}};
}

json view(const tiercache::PutReceipt& receipt) {
  return {{"version", receipt.version.to_string()},
          {"journaled", receipt.journaled},
          {"stored", receipt.stored},
          {"superseded", receipt.superseded}};
}

json view(const tiercache::OutboxPage& page) {
  json writes = json::array();
  for (const tiercache::OutboxWrite& write : page.writes) {
    json one = {{"dataset", write.id.dataset},
                {"key", write.id.key},
                {"version", write.version.to_string()},
                {"kind", to_string(write.kind)},
                {"bytes", write.bytes},
                {"since_ms", write.since.time_since_epoch().count()}};
    if (!write.why.empty()) one["why"] = write.why;
    writes.push_back(std::move(one));
  }
  return {{"writes", writes}, {"more", page.next.has_value()}};
}

json view(const tiercache::OutboxCounts& counts) {
  return {{"done", counts.done},
          {"not_parked", counts.not_parked},
          {"store_unavailable", counts.store_unavailable},
          {"disk_failed", counts.disk_failed}};
}

json view(const tiercache::Stats& stats) {
  json datasets = json::object();
  for (const auto& dataset : stats.datasets) datasets[dataset.dataset] = view(dataset);
  return {{"memory",
           {{"entries", stats.memory_entries},
            {"bytes_charged", stats.memory_bytes_charged},
            {"bytes_pinned", stats.memory_bytes_pinned},
            {"evictions", stats.memory_evictions},
            {"refused_promotions", stats.memory_refused_promotions}}},
          {"files",
           {{"entries", stats.files_entries},
            {"waiting", stats.files_waiting},
            {"failed_writes", stats.files_failed_writes},
            {"quarantined", stats.files_quarantined}}},
          {"journal",
           {{"live_records", stats.journal_live_records},
            {"live_bytes", stats.journal_live_bytes},
            {"disk_bytes", stats.journal_disk_bytes},
            {"segments", stats.journal_segments},
            {"syncs", stats.journal_syncs},
            {"records_synced", stats.journal_records_synced},
            {"corrupt_records", stats.journal_corrupt_records},
            {"lost", stats.journal_lost}}},
          {"outbox", {{"depth", stats.outbox_depth}, {"parked", stats.outbox_parked}}},
          {"store",
           {{"loads", stats.store_loads},
            {"saves", stats.store_saves},
            {"polls", stats.store_polls},
            {"hints", stats.store_hints},
            {"corrupt_rows", stats.store_corrupt_rows},
            {"failures", stats.store_failures},
            {"outages", stats.store_outages},
            {"not_asked", stats.store_not_asked},
            {"probes", stats.store_probes},
            {"latency", view(stats.store_latency)}}},
          {"refreshes_running", stats.refresh_running},
          {"put_latency", view(stats.put_latency)},
          {"datasets", datasets}};
}

json view(const tiercache::Health& health, bool ready, const std::string& store_off_why) {
  json store = view(health.store);
  std::string status = status_of(health, ready);
  if (!store_off_why.empty()) {
    store["why"] = store_off_why;
    if (status == "ok") status = "degraded";
  }
  json sources = json::object();
  for (const auto& [dataset, source] : health.sources) sources[dataset] = view(source);
  return {{"status", status},
          {"memory", view(health.memory)},
          {"files", view(health.files)},
          {"journal", view(health.journal)},
          {"store", store},
          {"sources", sources},
          {"outbox_depth", health.outbox_depth},
          {"parked", health.parked}};
}

void drop_reasons(json& told) {
  if (!told.is_object()) return;
  told.erase("why");
  for (auto& [name, part] : told.items()) drop_reasons(part);
}

}  // namespace refresh_service
