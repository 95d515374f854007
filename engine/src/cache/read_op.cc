#include "cache/read_op.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/refresh_path.h"
#include "cache/retention.h"
#include "cache/store_identity.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

TierAnswer answer_of(Freshness freshness) {
  switch (freshness) {
    case Freshness::fresh:
      return TierAnswer::hit;
    case Freshness::stale:
      return TierAnswer::stale;
    case Freshness::expired:
      return TierAnswer::expired;
  }
  return TierAnswer::expired;
}

}  // namespace

ReadOp::ReadOp(std::shared_ptr<Core> core, ReadRequest request)
    : core_(std::move(core)),
      request_(std::move(request)),
      dataset_(*request_.dataset),
      id_(dataset_.id(request_.key)),
      ref_(dataset_.ref(id_.key)),
      began_(core_->clock->steady_now()) {}

// --- Memory and files ---

std::optional<ReadResult> ReadOp::local() {
  auto result = ask_local();
  if (result) ended(*result);
  return result;
}

std::optional<ReadResult> ReadOp::ask_local() {
  const Next next = ask_memory();
  if (next == Next::end || request_.reach == Reach::memory) return conclude();
  if (next == Next::lower) {
    ask_files();
    if (good_enough()) return conclude();
  }
  const bool store_left = core_->store != nullptr && request_.reach >= Reach::store;
  const bool source_left = request_.reach == Reach::source && has_source();
  if (!store_left && !source_left) return conclude();
  return std::nullopt;
}

ReadOp::Next ReadOp::ask_memory() {
  stamp_ = core_->memory->stamp(ref_);
  const MemoryTier::Found found = core_->memory->find(ref_);
  if (!found.resident) {
    answer(&Passage::memory, TierAnswer::miss);
    return Next::lower;
  }
  const bool trusted =
      found.pinned || (core_->coarse_ticks() < found.lifetimes.trusted_until && !found.outdated);
  newest_local_ = found.resident->entry.version;
  pinned_ = found.pinned;
  switch (found.resident->kind) {
    case ResidentKind::not_found:
      answer(&Passage::memory, trusted ? TierAnswer::not_found : TierAnswer::miss);
      return trusted && !request_.behind ? Next::end : Next::lower;
    case ResidentKind::tombstone:
      answer(&Passage::memory, TierAnswer::gone);
      return trusted ? Next::remote : Next::lower;
    case ResidentKind::document:
      break;
  }
  set_candidate({found.resident, found.lifetimes, Tier::memory});
  answer(&Passage::memory, answer_of(freshness_at(found.lifetimes, core_->coarse_ticks())));
  return trusted && good_enough() ? Next::end : Next::lower;
}

void ReadOp::ask_files() {
  const FileReadResult file = core_->read_file(id_);
  switch (file.status) {
    case FileReadResult::Status::found:
      core_->files_health.worked();
      return take_file(file.entry);
    case FileReadResult::Status::absent:
      answer(&Passage::files, TierAnswer::miss);
      if (newest_local_.is_zero() || pinned_) return;
      // The file went away under us: an erase by another process, or a person's `rm`.
      drop_candidate();
      core_->memory->remove(ref_, newest_local_);
      core_->files->index().remove(id_, newest_local_);
      newest_local_ = Version{};
      return;
    case FileReadResult::Status::corrupt:
      answer(&Passage::files, TierAnswer::corrupt, file.why);
      core_->report(LogTopic::files, id_, "entry file corrupt, moved to quarantine: " + file.why);
      if (candidate().resident) core_->file_writer->dirty(id_);
      return;
    case FileReadResult::Status::other_format:
      return answer(&Passage::files, TierAnswer::undecodable, file.why);
    case FileReadResult::Status::failed:
      core_->files_health.failed(core_->now().wall, file.why);
      // The store may lag behind what cannot be read here (I3, I4).
      if (const auto item = core_->files->index().find(id_)) {
        newest_local_ = std::max(newest_local_, item->version);
      }
      return answer(&Passage::files, TierAnswer::unavailable, file.why);
  }
}

void ReadOp::take_file(const EntryPtr& entry) {
  if (newest_local_ > entry->version) {
    if (pinned_) return answer(&Passage::files, TierAnswer::miss);
    // The store refused what memory has, and another process took the winner into the file.
    core_->memory->remove(ref_, newest_local_);
    drop_candidate();
    newest_local_ = Version{};
    stamp_ = core_->memory->stamp(ref_);
  }
  if (entry->kind == EntryKind::tombstone) {
    newest_local_ = entry->version;
    drop_candidate();
    return answer(&Passage::files, TierAnswer::gone);
  }
  const Candidate known = candidate();
  const EntryPtr taken = with_known_clocks(entry);
  if (known.resident && known.resident->entry.version == entry->version &&
      known.resident->entry.clocks == taken->clocks) {
    const Lifetimes lifetimes = judge(known.resident->entry, dataset_.ages, core_->now());
    core_->memory->renew(ref_, known.resident.get(), lifetimes, stamp_);
    set_candidate({known.resident, lifetimes, Tier::files});
    return answer(&Passage::files, answer_of(freshness_at(lifetimes, core_->coarse_ticks())));
  }
  answer(&Passage::files, consider(taken, Tier::files));
}

EntryPtr ReadOp::with_known_clocks(const EntryPtr& entry) const {
  auto moved = std::make_shared<Entry>(*entry);
  moved->clocks = core_->clocks_with_pending(id_, *entry);
  const Candidate known = candidate();
  if (known.resident && known.resident->entry.version == entry->version) {
    merge_clocks(moved.get(), known.resident->entry.clocks, known.resident->entry.metadata, true);
  }
  return moved;
}

TierAnswer ReadOp::consider(const EntryPtr& entry, Tier tier) {
  auto resident = std::make_shared<Resident>();
  resident->entry = *entry;
  newest_local_ = std::max(newest_local_, entry->version);
  try {
    if (entry->cache_version != dataset_.policy.options.cache_version) {
      throw std::runtime_error("its cache_version is \"" + entry->cache_version +
                               "\", the dataset's \"" + dataset_.policy.options.cache_version +
                               '"');
    }
    Decoded decoded = dataset_.decode(*entry->document);
    resident->value = std::move(decoded.value);
    resident->value_bytes = decoded.bytes;
  } catch (const std::exception& error) {
    dataset_.counters.undecodable.add();
    core_->report(LogTopic::data, id_, std::string("document does not decode: ") + error.what());
    explain(error.what());
    return TierAnswer::undecodable;
  } catch (...) {
    dataset_.counters.undecodable.add();
    return TierAnswer::undecodable;
  }
  const Lifetimes lifetimes = judge(*entry, dataset_.ages, core_->now());
  core_->memory->promote(ref_, resident, lifetimes, stamp_);
  set_candidate({std::move(resident), lifetimes, tier});
  return answer_of(freshness_at(lifetimes, core_->coarse_ticks()));
}

// --- Store ---

void ReadOp::remote(ReadHandler handler) {
  {
    Lock lock(mutex_);
    handler_ = std::move(handler);
    if (request_.deadline != kNever) {
      deadline_timer_ = core_->executor->schedule(
          request_.deadline, Lane::compute, [self = shared_from_this()] { self->time_out(); });
    }
  }
  if (!core_->store || request_.reach < Reach::store) {
    if (!core_->options.flags.store_enabled) answer(&Passage::store, TierAnswer::disabled);
    return ask_source();
  }
  asking(Tier::store);
  core_->store_reader->load(
      id_, [self = shared_from_this()](const LoadedRow& row) { self->on_store(row); });
}

void ReadOp::on_store(const LoadedRow& row) {
  if (row.status == StoreStatus::unavailable) {
    answer(&Passage::store, TierAnswer::unavailable, row.message);
  } else if (row.status == StoreStatus::unknown) {
    answer(&Passage::store, TierAnswer::timed_out, row.message);
  } else if (row.corrupt) {
    answer(&Passage::store, TierAnswer::corrupt);
  } else if (!row.entry) {
    if (core_->retention->drop_if_purged(id_)) {
      drop_candidate();
      newest_local_ = Version{};
    }
    answer(&Passage::store, TierAnswer::miss);
  } else {
    take_row(row.entry);
  }
  if (good_enough() || request_.reach == Reach::store) return finish(conclude());
  ask_source();
}

void ReadOp::take_row(const EntryPtr& row) {
  core_->versions->observe(row->version);
  const auto erased = core_->journal->erased_below(id_);
  if (erased && row->version < *erased) return answer(&Passage::store, TierAnswer::gone);
  const EntryPtr taken = with_known_clocks(row);
  const bool moved = !candidate().resident || taken->clocks != candidate().resident->entry.clocks;
  if (row->version < newest_local_ || (row->version == newest_local_ && !moved)) {
    return answer(&Passage::store, TierAnswer::miss, "it has nothing newer than the local tiers");
  }
  const bool keeps = core_->store_identity->may_keep();
  if (row->kind == EntryKind::tombstone) {
    drop_candidate();
    newest_local_ = row->version;
    if (keeps) core_->take_newer(id_, row);
    return answer(&Passage::store, TierAnswer::gone);
  }
  answer(&Passage::store, consider(taken, Tier::store));
  if (!keeps) return;
  core_->executor->post(Lane::disk, [core = core_, &dataset = dataset_, id = id_, row = taken] {
    // Gone from memory again: something was written or erased since, or there was no room.
    const auto found = core->memory->peek(dataset.ref(id.key));
    if (!found.resident || found.resident->entry.version != row->version) return;
    core->keep_in_files(id, *row);
    core->refresh_path->arm(dataset, id);
  });
}

// --- Source ---

bool ReadOp::has_source() const {
  return core_->refresh_path->has_source(
      {.dataset = &dataset_, .id = id_, .callback = request_.callback});
}

void ReadOp::ask_source() {
  if (request_.reach != Reach::source || !has_source()) return finish(conclude());
  if (request_.reason == RefreshReason::emergency && !core_->options.flags.emergency_refresh) {
    answer(&Passage::source, TierAnswer::disabled);
    return finish(conclude());
  }
  if (!core_->is_open()) {
    answer(&Passage::source, TierAnswer::unavailable, "the cache is closing");
    return finish(conclude());
  }
  asking(Tier::source);
  wait_softly();
  core_->refresh_path->run(
      {.dataset = &dataset_,
       .id = id_,
       .reason = request_.reason,
       .cadence = Cadence::normal,
       .callback = request_.callback,
       .ttl = request_.ttl},
      [self = shared_from_this()](const FlightResult& r) { self->on_source(r); });
}

// A reader with something stale in hand waits for the fresh one, but not for ever.
void ReadOp::wait_softly() {
  const auto soft = dataset_.policy.options.soft_timeout;
  if (request_.behind || soft.count() == 0 || !can_serve()) return;
  Lock lock(mutex_);
  soft_timer_ =
      core_->executor->schedule(core_->after(soft), Lane::compute,
                                [self = shared_from_this()] { self->finish(self->conclude()); });
}

void ReadOp::on_source(const FlightResult& result) {
  switch (result.status) {
    case FlightResult::Status::saved:
    case FlightResult::Status::not_modified: {
      const MemoryTier::Found found = core_->memory->find(ref_);
      if (found.resident && found.resident->kind == ResidentKind::document) {
        answer(&Passage::source, TierAnswer::hit);
        set_candidate({found.resident, found.lifetimes, Tier::source});
        return finish(serve(candidate()));
      }
      FileReadResult file;
      if (!found.resident) file = core_->read_file(id_);
      if (file.entry && file.entry->kind == EntryKind::document) {
        answer(&Passage::source, consider(file.entry, Tier::source));
        return finish(candidate().resident ? serve(candidate()) : serve_nothing());
      }
      answer(&Passage::source, TierAnswer::gone);
      drop_candidate();
      return finish(serve_nothing());
    }
    case FlightResult::Status::not_found:
      answer(&Passage::source, TierAnswer::not_found);
      break;
    case FlightResult::Status::failed:
      answer(&Passage::source, TierAnswer::failed, result.why);
      break;
    case FlightResult::Status::throttled:
      answer(&Passage::source, TierAnswer::throttled, result.why);
      break;
    case FlightResult::Status::stopped:
      answer(&Passage::source, TierAnswer::unavailable, "the cache is closing");
      break;
  }
  finish(conclude());
}

// --- Ending ---

bool ReadOp::good_enough() const {
  const Candidate now = candidate();
  if (!now.resident) return false;
  const Freshness freshness = freshness_at(now.lifetimes, core_->coarse_ticks());
  if (request_.behind) {
    const auto& last_fetch = now.resident->entry.clocks.last_fetch;
    return freshness == Freshness::fresh &&
           (!request_.fetched_after || (last_fetch && *last_fetch > *request_.fetched_after));
  }
  if (freshness == Freshness::fresh) return true;
  return can_serve() && dataset_.policy.options.soft_timeout.count() == 0;
}

bool ReadOp::can_serve() const {
  const Candidate now = candidate();
  return now.resident && servable(now.lifetimes, core_->coarse_ticks(), request_.max_stale);
}

ReadResult ReadOp::conclude() {
  return can_serve() ? serve(candidate()) : serve_nothing();
}

ReadResult ReadOp::serve(const Candidate& chosen) {
  const Ticks ticks = core_->coarse_ticks();
  ReadResult result;
  result.resident = chosen.resident;
  result.tier = chosen.tier;
  result.freshness = freshness_at(chosen.lifetimes, ticks);
  result.age = age_at(chosen.lifetimes, ticks);
  if (chosen.tier != Tier::memory || result.freshness != Freshness::fresh) {
    result.passage = std::make_shared<Passage>(passage());
  }
  return result;
}

ReadResult ReadOp::serve_nothing() {
  ReadResult result;
  result.resident = dataset_.policy.fallback;
  result.passage = std::make_shared<Passage>(passage());
  return result;
}

void ReadOp::count(const ReadResult& result) {
  if (request_.behind) return;
  DatasetCounters& counters = dataset_.counters;
  switch (result.tier) {
    case Tier::none:
      counters.misses.add();
      break;
    case Tier::memory:
      counters.memory_hits.add();
      break;
    case Tier::files:
      counters.file_hits.add();
      break;
    case Tier::store:
      counters.store_hits.add();
      break;
    case Tier::source:
      counters.source_hits.add();
      break;
  }
  if (result.tier != Tier::none && result.freshness != Freshness::fresh)
    counters.stale_served.add();
  if (result.tier != Tier::memory) counters.read_latency.add(core_->clock->steady_now() - began_);
}

void ReadOp::ended(const ReadResult& result) {
  count(result);
  const bool stale = result.tier != Tier::none && result.freshness != Freshness::fresh;
  if (stale && !request_.behind && request_.reach == Reach::source && asked() != Tier::source) {
    core_->refresh_path->revalidate(dataset_, id_, request_.callback, request_.ttl);
  }
}

void ReadOp::finish(ReadResult result) {
  ReadHandler handler;
  {
    Lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    handler = std::move(handler_);
    if (deadline_timer_ != 0) core_->executor->cancel(deadline_timer_);
    if (soft_timer_ != 0) core_->executor->cancel(soft_timer_);
  }
  ended(result);
  if (handler) handler(std::move(result));
}

void ReadOp::time_out() {
  {
    Lock lock(mutex_);
    if (finished_) return;
    if (asking_ == Tier::store && passage_.store == TierAnswer::not_asked) {
      passage_.store = TierAnswer::timed_out;
    } else if (asking_ == Tier::source && passage_.source == TierAnswer::not_asked) {
      passage_.source = TierAnswer::timed_out;
    }
  }
  finish(conclude());
}

// --- State that a time-out may read meanwhile ---

void ReadOp::answer(TierAnswer Passage::*tier, TierAnswer said, const std::string& why) {
  Lock lock(mutex_);
  passage_.*tier = said;
  if (why.empty()) return;
  if (!passage_.why.empty()) passage_.why += "; ";
  passage_.why += why;
}

void ReadOp::explain(const std::string& why) {
  Lock lock(mutex_);
  if (!passage_.why.empty()) passage_.why += "; ";
  passage_.why += why;
}

Passage ReadOp::passage() const {
  Lock lock(mutex_);
  return passage_;
}

ReadOp::Candidate ReadOp::candidate() const {
  Lock lock(mutex_);
  return candidate_;
}

void ReadOp::set_candidate(Candidate candidate) {
  Lock lock(mutex_);
  candidate_ = std::move(candidate);
}

void ReadOp::drop_candidate() {
  set_candidate({});
}

void ReadOp::asking(Tier tier) {
  Lock lock(mutex_);
  asking_ = tier;
}

Tier ReadOp::asked() const {
  Lock lock(mutex_);
  return asking_;
}

}  // namespace tiercache::detail
