#include "cache/retention.h"

#include <algorithm>
#include <utility>

#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/store_identity.h"

namespace tiercache::detail {

namespace {

// Between two rounds of one cache: this, give or take half. Many caches share the work.
constexpr std::chrono::milliseconds kEvery = std::chrono::hours(6);
constexpr std::size_t kPurgedAtOnce = 1'000;
// A store that always has more to purge is left alone until the next round.
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
  core_.executor->schedule(core_.after(pause), Lane::store, [weak = core_.weak_from_this()] {
    const auto core = weak.lock();
    if (!core || !core->is_open()) return;
    core->retention->run();
    core->retention->schedule();
  });
}

void Retention::run() {
  const std::optional<Round> round = ask_round();
  if (!round) return;
  // As long as the store may still have what a tombstone hides, or is not the one it was, ours
  // stay.
  const bool purges = core_.store && core_.store->has_purge();
  const bool store_done = !core_.store || (purges && core_.store_identity->is_same() &&
                                           purge_store(round->below, round->now));
  purge_files(round->below, round->now, store_done);
}

// What a round deletes is gone for all machines: one whose clock is wrong must not decide it, nor
// one whose last word from the store is a while ago.
std::optional<Retention::Round> Retention::ask_round() {
  const auto kept = core_.options.tombstone_retention;
  if (!core_.store || !core_.store->has_purge()) {
    const WallTime now = core_.now().wall;
    return Round{now, stamped_at(now - kept)};
  }
  const PurgeReply reply = ask_horizon(Breaker::Urgency::background);
  if (reply.status != StoreStatus::ok || !reply.store_time) return std::nullopt;
  const WallTime now = *reply.store_time;
  // Machines that move to a new store bring old tombstones. The horizon that these leave would
  // stand against the documents of machines that come later.
  const bool is_new = reply.project_since && *reply.project_since > now - kept;
  return Round{now, is_new ? Version{} : stamped_at(now - kept)};
}

PurgeReply Retention::ask(const PurgeRequest& request, Breaker::Urgency urgency) {
  PurgeReply reply = core_.ask_store(urgency, core_.store_purges, [&] {
    return core_.store->purge(core_.options.project, request,
                              core_.after(core_.options.store_calls.call_timeout));
  });
  if (reply.status != StoreStatus::ok) return reply;
  Lock lock(mutex_);
  if (reply.incarnation != incarnation_) horizon_ = {};
  incarnation_ = reply.incarnation;
  horizon_ = std::max(horizon_, reply.horizon);
  return reply;
}

PurgeReply Retention::ask_horizon(Breaker::Urgency urgency) {
  PurgeRequest request;
  request.limit = 0;
  return ask(request, urgency);
}

bool Retention::learn_horizon(Breaker::Urgency urgency) {
  return core_.store->has_purge() && ask_horizon(urgency).status == StoreStatus::ok;
}

Version Retention::horizon() const {
  Lock lock(mutex_);
  return horizon_;
}

bool Retention::purge_store(Version below, WallTime now) {
  PurgeRequest request;
  request.tombstones_below = below;
  request.limit = kPurgedAtOnce;
  for (const std::string& name : core_.dataset_names()) {
    const auto kept = core_.find_dataset(name)->policy.options.retention;
    if (kept.count() > 0) request.expired.push_back({name, now - kept});
  }
  for (int calls = 0; calls < kCallsInARound && core_.is_open(); ++calls) {
    const PurgeReply reply = ask(request, Breaker::Urgency::background);
    if (reply.status != StoreStatus::ok) return false;
    purged_.add(reply.documents + reply.tombstones);
    if (!reply.more) return true;
  }
  return false;
}

void Retention::purge_files(Version below, WallTime now, bool tombstones) {
  for (const std::string& name : core_.files->index().datasets()) {
    const DatasetState* dataset = core_.find_dataset(name);
    const auto kept = dataset ? dataset->policy.options.retention : std::chrono::milliseconds(0);
    std::vector<std::pair<EntryId, Version>> old;
    core_.files->index().for_each(name, [&](const std::string& key, const IndexItem& item) {
      const bool gone =
          item.kind == EntryKind::tombstone
              ? tombstones && item.version < below
              : kept.count() > 0 && item.clocks.last_fetch && *item.clocks.last_fetch < now - kept;
      if (gone) old.emplace_back(EntryId{name, key}, item.version);
    });
    for (const auto& [id, version] : old) drop(id, version);
  }
  core_.file_writer->touched();
}

// What the journal holds has yet to reach the store or its file.
bool Retention::drop(const EntryId& id, Version version) {
  if (core_.journal->holds(id)) return false;
  if (core_.files->remove(id, version).status != FileWriteResult::Status::written) return false;
  if (const DatasetState* dataset = core_.find_dataset(id.dataset)) {
    core_.memory->remove(dataset->ref(id.key), version);
  }
  core_.scheduler->disarm(id);
  dropped_.add();
  return true;
}

bool Retention::drop_if_purged(const EntryId& id) {
  if (!core_.store_identity->is_same()) return false;
  const auto item = core_.files->index().find(id);
  if (!item || item->kind != EntryKind::document) return false;
  {
    Lock lock(mutex_);
    if (item->version > horizon_) return false;
  }
  return drop(id, item->version);
}

}  // namespace tiercache::detail
