#include "cache/reading/read_op.h"

#include <algorithm>
#include <exception>
#include <utility>

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

TierAnswer answer_of(FlightResult::Status status) {
  switch (status) {
    case FlightResult::Status::saved:
    case FlightResult::Status::not_modified:
      return TierAnswer::hit;
    case FlightResult::Status::not_found:
      return TierAnswer::not_found;
    case FlightResult::Status::failed:
      return TierAnswer::failed;
    case FlightResult::Status::throttled:
      return TierAnswer::throttled;
    case FlightResult::Status::stopped:
      return TierAnswer::unavailable;
  }
  return TierAnswer::failed;
}

ReadOp::ReadOp(const ReadParts& parts, ReadRequest request)
    : keep_(parts.runtime.tasks.keep()),
      parts_(parts),
      runtime_(parts.runtime),
      local_(parts.local),
      request_(std::move(request)),
      dataset_(*request_.dataset),
      id_(dataset_.id(request_.key)),
      ref_(dataset_.ref(id_.key)),
      began_(runtime_.clock->steady_now()) {}

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
    if (is_good_enough()) return conclude();
  }
  const bool store_left = parts_.calls.uses_store() && request_.reach >= Reach::store;
  const bool source_left = request_.reach == Reach::source && has_source();
  if (!store_left && !source_left) return conclude();
  return std::nullopt;
}

ReadOp::Next ReadOp::ask_memory() {
  seen_ = local_.memory().seen(ref_);
  const MemoryTier::Found found = local_.memory().find(ref_);
  if (!found.resident) {
    answer(Tier::memory, TierAnswer::miss);
    return Next::lower;
  }
  // Memory is not trusted blindly even if it holds this process's own write on its way to its file:
  // another process may have put something newer into the file meanwhile.
  const bool trusted = runtime_.coarse_ticks() < found.lifetimes.trusted_until && !found.outdated;
  newest_local_ = found.resident->entry.version;
  if (found.pinned) pinned_ = found.resident;
  switch (found.resident->kind) {
    case ResidentKind::not_found:
      answer(Tier::memory, trusted ? TierAnswer::not_found : TierAnswer::miss);
      return trusted && !request_.behind ? Next::end : Next::lower;
    case ResidentKind::tombstone:
      answer(Tier::memory, TierAnswer::gone);
      return trusted ? Next::remote : Next::lower;
    case ResidentKind::document:
      break;
  }
  set_candidate({found.resident, found.lifetimes, Tier::memory});
  const TierAnswer said = answer_of(freshness_at(found.lifetimes, runtime_.coarse_ticks()));
  if (!trusted && said == TierAnswer::hit) {
    answer(Tier::memory, TierAnswer::stale,
           found.outdated ? "another process may have written since"
                          : "its file was last looked at longer ago than memory.ttl");
  } else {
    answer(Tier::memory, said);
  }
  return trusted && is_good_enough() ? Next::end : Next::lower;
}

void ReadOp::ask_files() {
  const FileReadResult file = local_.read_file(id_);
  switch (file.status) {
    case FileReadResult::Status::found:
      runtime_.marks.file_reads.worked();
      return take_file(file.entry);
    case FileReadResult::Status::absent:
      answer(Tier::files, TierAnswer::miss);
      if (newest_local_.is_zero()) return;
      if (pinned_) return trust_pinned();
      // The file went away under us: an erase by another process, or a person's `rm`.
      drop_candidate();
      local_.forget_missing(id_, newest_local_);
      newest_local_ = Version{};
      return;
    case FileReadResult::Status::corrupt:
      answer(Tier::files, TierAnswer::corrupt, file.why);
      runtime_.warn_of_entry(LogTopic::files, id_,
                             "an entry file is corrupt and was moved to the quarantine: " +
                                 without_key(file.why, id_));
      if (candidate().resident) parts_.file_writer.write_soon(id_);
      return;
    case FileReadResult::Status::other_format:
      return answer(Tier::files, TierAnswer::undecodable, file.why);
    case FileReadResult::Status::failed:
      runtime_.marks.file_reads.failed(without_key(file.why, id_));
      // The store may lag behind what cannot be read here (I3, I4).
      newest_local_ = std::max(newest_local_, local_.known(nullptr, id_).version);
      return answer(Tier::files, TierAnswer::unavailable, file.why);
  }
}

void ReadOp::take_file(const EntryPtr& entry) {
  if (newest_local_ > entry->version) {
    if (pinned_) {
      trust_pinned();
      return answer(Tier::files, TierAnswer::miss,
                    "what memory has is newer and not in its file yet");
    }
    // Memory is ahead of the file without being on its way there: the store has refused its write,
    // and another process has put the winner into the file.
    local_.forget_in_memory(id_, newest_local_);
    drop_candidate();
    newest_local_ = Version{};
    seen_ = local_.memory().seen(ref_);
  }
  if (entry->kind == EntryKind::tombstone) {
    newest_local_ = entry->version;
    drop_candidate();
    return answer(Tier::files, TierAnswer::gone);
  }
  const Candidate known = candidate();
  const EntryPtr taken = with_known_clocks(entry);
  if (known.resident && known.resident->entry.version == entry->version &&
      known.resident->entry.clocks == taken->clocks) {
    const Lifetimes lifetimes = judge(known.resident->entry, dataset_.ages, runtime_.now());
    local_.memory().renew(ref_, known.resident.get(), lifetimes, seen_);
    set_candidate({known.resident, lifetimes, Tier::files});
    return answer(Tier::files, answer_of(freshness_at(lifetimes, runtime_.coarse_ticks())));
  }
  consider(taken, Tier::files);
}

void ReadOp::trust_pinned() {
  const Lifetimes lifetimes = judge(pinned_->entry, dataset_.ages, runtime_.now());
  local_.memory().renew(ref_, pinned_.get(), lifetimes, seen_);
}

EntryPtr ReadOp::with_known_clocks(const EntryPtr& entry) const {
  const Clocks clocks = local_.believable_clocks(id_, *entry);
  const Candidate known = candidate();
  const bool same = known.resident && known.resident->entry.version == entry->version;
  if (!same && clocks == entry->clocks) return entry;
  auto moved = std::make_shared<Entry>(*entry);
  moved->clocks = clocks;
  if (same) {
    merge_clocks(moved.get(), known.resident->entry.clocks, known.resident->entry.metadata, true);
  }
  return moved;
}

void ReadOp::consider(const EntryPtr& entry, Tier tier) {
  auto resident = std::make_shared<Resident>();
  resident->entry = *entry;
  newest_local_ = std::max(newest_local_, entry->version);
  if (const auto why = decode_into(*resident)) {
    dataset_.counters.undecodable.add();
    runtime_.warn_of_entry(LogTopic::data, id_, "a document does not decode: " + *why);
    return answer(tier, TierAnswer::undecodable, *why);
  }
  const Lifetimes lifetimes = judge(*entry, dataset_.ages, runtime_.now());
  local_.memory().promote(ref_, resident, lifetimes, seen_);
  set_candidate({std::move(resident), lifetimes, tier});
  answer(tier, answer_of(freshness_at(lifetimes, runtime_.coarse_ticks())));
}

// Decodes the document; returns why that failed, or nullopt.
std::optional<std::string> ReadOp::decode_into(Resident& resident) const {
  const Entry& entry = resident.entry;
  const std::string& wanted = dataset_.policy.options.cache_version;
  if (entry.cache_version != wanted) {
    return "its cache_version is \"" + entry.cache_version + "\", the dataset's \"" + wanted + '"';
  }
  try {
    Decoded decoded = dataset_.decode(*entry.document);
    resident.value = std::move(decoded.value);
    resident.value_bytes = decoded.bytes;
    return std::nullopt;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "what it threw is no std::exception";
  }
}

// --- Store ---

void ReadOp::remote(ReadHandler handler) {
  {
    Lock lock(mutex_);
    handler_ = std::move(handler);
    if (request_.deadline != kNever) {
      deadline_timer_ = runtime_.executor->schedule(
          request_.deadline, Lane::compute, [self = shared_from_this()] { self->time_out(); });
    }
  }
  wait_softly();
  if (!parts_.calls.uses_store() || request_.reach < Reach::store) {
    const bool switched_off = runtime_.options.store && !runtime_.options.flags.store_enabled;
    if (switched_off) answer(Tier::store, TierAnswer::disabled);
    return ask_source();
  }
  asking(Tier::store);
  parts_.store_reader.load(
      id_, [self = shared_from_this()](const LoadedRow& row) { self->on_store(row); });
}

void ReadOp::on_store(const LoadedRow& row) {
  if (row.status == StoreStatus::unavailable) {
    answer(Tier::store, TierAnswer::unavailable, row.message);
  } else if (row.status == StoreStatus::unknown) {
    answer(Tier::store, TierAnswer::timed_out, row.message);
  } else if (row.corrupt) {
    answer(Tier::store, TierAnswer::corrupt);
  } else if (!row.entry) {
    const auto deleted = parts_.horizon.deleted_up_to();
    if (deleted && local_.drop_deleted(id_, *deleted)) {
      drop_candidate();
      newest_local_ = Version{};
    }
    answer(Tier::store, TierAnswer::miss);
  } else {
    take_row(row.entry);
  }
  if (is_good_enough() || request_.reach == Reach::store) return finish(conclude());
  ask_source();
}

void ReadOp::take_row(const EntryPtr& row) {
  runtime_.versions.observe(row->version);
  if (local_.hides(id_, row->version)) return answer(Tier::store, TierAnswer::gone);
  const EntryPtr taken = with_known_clocks(row);
  const bool moved = !candidate().resident || taken->clocks != candidate().resident->entry.clocks;
  if (row->version < newest_local_ || (row->version == newest_local_ && !moved)) {
    return answer(Tier::store, TierAnswer::miss, "it has nothing newer than the local tiers");
  }
  const bool keeps = parts_.identity.may_keep();
  if (row->kind == EntryKind::tombstone) {
    drop_candidate();
    newest_local_ = row->version;
    if (keeps) local_.take(id_, row);
    return answer(Tier::store, TierAnswer::gone);
  }
  consider(taken, Tier::store);
  if (!keeps) return;
  runtime_.tasks.post(Lane::disk, [&local = local_, &dataset = dataset_, id = id_, row = taken] {
    // If memory has dropped it again, something was written or erased since, or there was no
    // room.
    const auto found = local.memory().peek(dataset.ref(id.key));
    if (!found.resident || found.resident->entry.version != row->version) return;
    if (!local.keep_in_files(id, *row)) local.take(id, row);
  });
}

// --- Source ---

bool ReadOp::has_source() const {
  return parts_.refreshes.has_source(
      {.dataset = &dataset_, .id = id_, .callback = request_.callback});
}

void ReadOp::ask_source() {
  if (request_.reach != Reach::source || !has_source()) return finish(conclude());
  // A reader who waits softly has something to go on with: this is no emergency.
  const RefreshReason reason = request_.reason == RefreshReason::emergency && can_serve()
                                   ? RefreshReason::behind
                                   : request_.reason;
  if (reason == RefreshReason::emergency && !runtime_.options.flags.emergency_refresh) {
    answer(Tier::source, TierAnswer::disabled);
    return finish(conclude());
  }
  if (!runtime_.is_open()) {
    answer(Tier::source, TierAnswer::unavailable, "the cache is closing");
    return finish(conclude());
  }
  asking(Tier::source);
  parts_.refreshes.run({.dataset = &dataset_,
                        .id = id_,
                        .reason = reason,
                        .cadence = Cadence::normal,
                        .callback = request_.callback,
                        .ttl = request_.ttl},
                       [self = shared_from_this()](const FlightResult& r) { self->on_source(r); });
}

// A reader that could be served something stale waits for store and source, but only for the soft
// timeout.
void ReadOp::wait_softly() {
  const auto soft = dataset_.policy.options.soft_timeout;
  if (request_.behind || soft.count() == 0 || !can_serve()) return;
  Lock lock(mutex_);
  soft_timer_ =
      runtime_.executor->schedule(runtime_.after(soft), Lane::compute,
                                  [self = shared_from_this()] { self->finish(self->conclude()); });
}

void ReadOp::on_source(const FlightResult& result) {
  using Status = FlightResult::Status;
  if (result.status == Status::saved || result.status == Status::not_modified) {
    return finish_refreshed();
  }
  std::string why = result.why;
  if (result.status == Status::failed) why += parts_.refreshes.next_try(id_);
  answer(Tier::source, answer_of(result.status), why);
  finish(conclude());
}

// Memory has the answer, unless the answer was superseded by another process's write, which memory
// may not know of yet: then the local tiers are asked as by any read.
void ReadOp::finish_refreshed() {
  const MemoryTier::Found found = local_.memory().find(ref_);
  const bool stands = found.resident && found.resident->kind == ResidentKind::document &&
                      !found.outdated && found.resident->entry.version >= newest_local_;
  if (stands) {
    answer(Tier::source, TierAnswer::hit);
    set_candidate({found.resident, found.lifetimes, Tier::source});
    return finish(serve(candidate()));
  }
  const EntryPtr entry = local_.find(dataset_, id_);
  if (entry && entry->kind == EntryKind::document && entry->version >= newest_local_) {
    consider(entry, Tier::source);
    return finish(candidate().resident ? serve(candidate()) : serve_nothing());
  }
  if (entry && entry->kind == EntryKind::tombstone) {
    answer(Tier::source, TierAnswer::gone);
  } else {
    answer(Tier::source, TierAnswer::failed, "what it brought gave way to a write under way");
  }
  drop_candidate();
  finish(serve_nothing());
}

}  // namespace tiercache::detail
