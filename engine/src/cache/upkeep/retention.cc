#include "cache/upkeep/retention.h"

#include <algorithm>
#include <utility>

namespace tiercache::detail {

namespace {

// Time between two rounds of one cache, give or take half, so that many caches share the work.
constexpr std::chrono::milliseconds kEvery = std::chrono::hours(6);
constexpr std::size_t kPurgedAtOnce = 1'000;
// A round ends after so many calls even if the store has more to purge; the next round goes on.
constexpr int kCallsInARound = 1'000;

Version stamped_at(WallTime time) {
  const auto ms = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  return {static_cast<std::uint64_t>(ms) << Version::kCounterBits, 0};
}

}  // namespace

void Retention::start() {
  schedule();
}

void Retention::schedule() {
  std::chrono::milliseconds pause = kEvery / 2;
  {
    Lock lock(mutex_);
    pause += std::chrono::milliseconds(random_.below(static_cast<std::uint64_t>(kEvery.count())));
  }
  runtime_.tasks.while_open(runtime_.after(pause), Lane::store, [this] {
    run();
    schedule();
  });
}

void Retention::run() {
  const std::optional<Round> round = ask_round();
  if (!round) return;
  // Our tombstones stay as long as the store may still have what they hide, or is not the
  // directory's store.
  const bool purges = calls_.uses_store() && calls_.store()->has_purge();
  const bool store_done = !calls_.uses_store() ||
                          (purges && identity_.is_same() && purge_store(round->below, round->now));
  purge_files(round->below, round->now, store_done);
}

// What a round deletes is gone for all machines, so the store's clock decides, as of a reply that
// has just come: this machine's own clock may be wrong.
std::optional<Retention::Round> Retention::ask_round() {
  const auto kept = runtime_.options.tombstone_retention;
  if (!calls_.uses_store() || !calls_.store()->has_purge()) {
    const WallTime now = runtime_.now().wall;
    return Round{now, stamped_at(now - kept)};
  }
  const PurgeReply reply = horizon_.ask(Breaker::Urgency::background);
  if (reply.status != StoreStatus::ok || !reply.store_time) return std::nullopt;
  const WallTime now = *reply.store_time;
  // Machines that move to a new store bring old tombstones along. If those were purged at once, the
  // horizon that they leave would stand against the documents of machines that come later.
  const bool is_new = reply.project_since && *reply.project_since > now - kept;
  return Round{now, is_new ? Version{} : stamped_at(now - kept)};
}

bool Retention::purge_store(Version below, WallTime now) {
  PurgeRequest request;
  request.tombstones_below = below;
  request.limit = kPurgedAtOnce;
  for (const std::string& name : runtime_.datasets.names()) {
    const auto kept = runtime_.datasets.find(name)->policy.options.retention;
    if (kept.count() > 0) request.expired.push_back({name, now - kept});
  }
  for (int calls = 0; calls < kCallsInARound && runtime_.is_open(); ++calls) {
    const PurgeReply reply = horizon_.purge(request, Breaker::Urgency::background);
    if (reply.status != StoreStatus::ok) return false;
    purged_.add(reply.documents + reply.tombstones);
    if (!reply.more) return true;
  }
  return false;
}

void Retention::purge_files(Version below, WallTime now, bool tombstones) {
  for (const std::string& name : local_.index().datasets()) {
    const DatasetState* dataset = runtime_.datasets.find(name);
    const auto kept = dataset ? dataset->policy.options.retention : std::chrono::milliseconds(0);
    std::vector<std::pair<EntryId, Version>> old;
    local_.index().for_each(name, [&](const std::string& key, const IndexItem& item) {
      const bool gone =
          item.kind == EntryKind::tombstone
              ? tombstones && item.version < below
              : kept.count() > 0 && item.clocks.last_fetch && *item.clocks.last_fetch < now - kept;
      if (gone) old.emplace_back(EntryId{name, key}, item.version);
    });
    for (const auto& [id, version] : old)
      if (local_.drop(id, version)) dropped_.add();
  }
  file_writer_.sync_soon();
}

}  // namespace tiercache::detail
