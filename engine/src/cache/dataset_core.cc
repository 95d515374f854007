// The calls of a dataset, in terms of read operations and changes.
#include "tiercache/detail/dataset_core.h"

#include <atomic>
#include <utility>

#include "base/glob.h"
#include "cache/config_check.h"
#include "cache/core.h"
#include "cache/read_op.h"
#include "cache/refresh_path.h"
#include "cache/write_path.h"
#include "json/document.h"
#include "json/envelope.h"
#include "system/process.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// An answer that another thread brings.
struct PendingRead {
  explicit PendingRead(Executor& executor) : event(executor.make_event()) {}

  void set(ReadResult read) {
    result = std::move(read);
    event->set();
  }

  std::shared_ptr<Event> event;
  ReadResult result;  // written before `event` is set, read after
};

ReadRequest read_request(const Core& core, DatasetState& dataset, std::string_view key,
                         const GetOptions& options) {
  return {.dataset = &dataset,
          .key = std::string(key),
          .reach = options.reach,
          .deadline = core.after(options.deadline),
          .max_stale = options.max_stale,
          .callback = {},
          .ttl = {},
          .reason = RefreshReason::emergency,
          .behind = false,
          .fetched_after = {}};
}

// Waits for what `local` could not answer; at the deadline takes what there is.
ReadResult wait_for(const std::shared_ptr<Core>& core, const std::shared_ptr<ReadOp>& op,
                    SteadyTime deadline) {
  auto pending = std::make_shared<PendingRead>(*core->executor);
  op->remote([pending](ReadResult result) { pending->set(std::move(result)); });
  if (!pending->event->wait_until(deadline)) {
    op->time_out();
    pending->event->wait_until(kNever);
  }
  return std::move(pending->result);
}

ReadResult run_read(const std::shared_ptr<Core>& core, ReadRequest request) {
  const SteadyTime deadline = request.deadline;
  auto op = std::make_shared<ReadOp>(core, std::move(request));
  if (auto result = op->local()) return std::move(*result);
  return wait_for(core, op, deadline);
}

// A resident that memory may serve as it is: no look at lower tiers, nothing to refresh.
bool servable_from_memory(const MemoryTier::Found& found, Ticks ticks) {
  return found.resident && found.resident->kind == ResidentKind::document &&
         ticks < found.lifetimes.fresh_until &&
         (ticks < found.lifetimes.trusted_until || found.pinned);
}

ReadResult memory_result(MemoryTier::Found&& found, Ticks ticks) {
  ReadResult result;
  result.age = age_at(found.lifetimes, ticks);
  result.freshness = freshness_at(found.lifetimes, ticks);
  result.tier = Tier::memory;
  result.resident = std::move(found.resident);
  return result;
}

PutReceipt receipt_or_throw(const DatasetState& dataset, const ChangeResult& result) {
  using Status = ChangeResult::Status;
  const std::string what = "a write to dataset \"" + dataset.name + "\"";
  switch (result.status) {
    case Status::durable:
      return {.version = result.version, .journaled = true, .stored = false, .superseded = false};
    case Status::stored:
      return {.version = result.version, .journaled = false, .stored = true, .superseded = false};
    case Status::superseded:
      return {.version = result.version, .journaled = false, .stored = false, .superseded = true};
    case Status::conflict:
      throw VersionConflict(what + ": the entry's version is " + result.version.to_string() +
                            ", not the one given as if_version. Nothing was stored; read again and "
                            "decide.");
    case Status::full:
      throw NotDurable(
          NotDurable::State::not_applied,
          what + " was refused: " + result.why +
              ". Nothing was stored; bring the store back or raise journal.max_bytes.");
    case Status::not_applied:
      throw NotDurable(NotDurable::State::not_applied,
                       what + " could not be made durable and was not applied: " + result.why +
                           ". Free space or repair the disk, then write again.");
    case Status::unknown:
      throw NotDurable(NotDurable::State::unknown,
                       what + " may or may not have been made durable: " + result.why +
                           ". It may appear later, as version " + result.version.to_string() + ".");
  }
  throw Error(what + " ended in no known way");
}

// Turns what the caller gave into a change, or throws what is wrong with it.
Change change_of(const Core& core, DatasetState& dataset, PutItem item, const PutOptions& options) {
  check_key(dataset.name, item.key, dataset.policy.options.keyed, core.options.limits);
  const std::string what = "document for dataset \"" + dataset.name + "\": ";
  if (const auto fault = check_document(*item.document, core.rules)) {
    throw InvalidDocument(what + fault->to_string() + ". Nothing was stored.");
  }
  if (!is_json_object(options.metadata)) {
    throw InvalidDocument(
        what + "its metadata is not a JSON object of at most 32 KiB. Nothing was stored.");
  }
  const void* value = item.value ? item.value.get() : static_cast<const void*>(item.document.get());
  try {
    if (dataset.policy.validate && !dataset.policy.validate(value)) {
      throw InvalidDocument(what + "the dataset's validate refused it. Nothing was stored.");
    }
  } catch (const InvalidDocument&) {
    throw;
  } catch (const std::exception& error) {
    throw InvalidDocument(what + "the dataset's validate refused it: " + error.what() +
                          ". Nothing was stored.");
  }
  Change change;
  change.dataset = &dataset;
  change.key = std::move(item.key);
  change.entry.checksum = Checksum::of(*item.document);
  change.entry.document = std::move(item.document);
  change.entry.metadata = std::string(options.metadata);
  change.entry.cache_version = dataset.policy.options.cache_version;
  change.entry.fresh_for = options.fresh_for;
  change.entry.clocks.last_fetch = core.fetch_time(dataset.id(change.key));
  change.value = std::move(item.value);
  change.value_bytes = item.value_bytes;
  change.if_version = options.if_version;
  return change;
}

// Waits until the store has settled a durable write, and says so in the receipt.
void wait_until_stored(const Core& core, const DatasetState& dataset, const std::string& key,
                       SteadyTime deadline, PutReceipt& receipt) {
  if (!core.drain || receipt.stored || receipt.superseded) return;
  struct Answer {
    std::shared_ptr<Event> event;
    WritePath::Settled settled;
  };
  auto answer = std::make_shared<Answer>();
  answer->event = core.executor->make_event();
  core.write_path->when_settled(dataset.id(key), receipt.version,
                                [answer](const WritePath::Settled& settled) {
                                  answer->settled = settled;
                                  answer->event->set();
                                });
  core.drain->kick();
  if (!answer->event->wait_until(deadline)) {
    throw DeadlineExceeded(
        "a write to dataset \"" + dataset.name + "\" is journaled as version " +
        receipt.version.to_string() +
        ", but the store has not confirmed it in time; it will be sent until it does");
  }
  if (answer->settled.refused) {
    throw NotDurable(NotDurable::State::unknown,
                     "a write to dataset \"" + dataset.name +
                         "\" is kept here, but the store refused it: " + answer->settled.why);
  }
  receipt.stored = !answer->settled.superseded;
  receipt.superseded = answer->settled.superseded;
}

void require_store(const Core& core, const PutOptions& options) {
  if (options.durability == Durability::store && !core.store) {
    throw BadConfiguration(
        "Durability::store was asked for, but this cache has no store (or it is "
        "switched off). Nothing was stored.");
  }
}

PutReceipt write_one(Core& core, DatasetState& dataset, Change change, const PutOptions& options) {
  const SteadyTime deadline = core.after(options.deadline);
  const std::string key = change.key;
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  const auto results = core.write_path->write_and_wait(std::move(changes), options.deadline);
  PutReceipt receipt = receipt_or_throw(dataset, results.front());
  if (options.durability == Durability::store)
    wait_until_stored(core, dataset, key, deadline, receipt);
  return receipt;
}

}  // namespace

DatasetCore::DatasetCore(std::shared_ptr<Core> core, DatasetState& state)
    : core_(std::move(core)), state_(state) {}

DatasetCore::~DatasetCore() = default;

const std::string& DatasetCore::name() const {
  return state_.name;
}

// --- Reading ---

ReadResult DatasetCore::get(std::string_view key, const GetOptions& options) {
  if (forks_so_far() == core_->forks_at_open) {
    MemoryTier::Found found = core_->memory->find(state_.ref(key));
    const Ticks ticks = core_->coarse_ticks();
    if (servable_from_memory(found, ticks)) {
      state_.counters.memory_hits.add();
      return memory_result(std::move(found), ticks);
    }
  }
  if (options.reach != Reach::memory) core_->check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  return run_read(core_, read_request(*core_, state_, key, options));
}

ReadResult DatasetCore::peek(std::string_view key) {
  return get(key, {.deadline = milliseconds(0), .reach = Reach::memory, .max_stale = {}});
}

void DatasetCore::get_async(std::string key, const GetOptions& options, ReadHandler handler) {
  core_->check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  auto op = std::make_shared<ReadOp>(core_, read_request(*core_, state_, key, options));
  core_->executor->post(Lane::disk, [op, handler = std::move(handler)]() mutable {
    if (auto result = op->local()) return handler(std::move(*result));
    op->remote(std::move(handler));
  });
}

std::vector<ReadResult> DatasetCore::get_many(std::span<const std::string> keys,
                                              const GetOptions& options) {
  core_->check_open();
  for (const std::string& key : keys) {
    check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  }
  const SteadyTime deadline = core_->after(options.deadline);
  struct Open {
    std::size_t index;
    std::shared_ptr<ReadOp> op;
    std::shared_ptr<PendingRead> pending;
  };
  std::vector<ReadResult> results(keys.size());
  std::vector<Open> open;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto op = std::make_shared<ReadOp>(core_, read_request(*core_, state_, keys[i], options));
    if (auto result = op->local()) {
      results[i] = std::move(*result);
    } else {
      open.push_back({i, std::move(op), std::make_shared<PendingRead>(*core_->executor)});
    }
  }
  for (const Open& one : open) {
    one.op->remote([pending = one.pending](ReadResult result) { pending->set(std::move(result)); });
  }
  for (const Open& one : open) {
    if (!one.pending->event->wait_until(deadline)) {
      one.op->time_out();
      one.pending->event->wait_until(kNever);
    }
    results[one.index] = std::move(one.pending->result);
  }
  return results;
}

ReadResult DatasetCore::get_or_load(std::string_view key, Callback callback,
                                    std::optional<milliseconds> ttl, const GetOptions& options) {
  MemoryTier::Found found = core_->memory->find(state_.ref(key));
  const Ticks ticks = core_->coarse_ticks();
  if (servable_from_memory(found, ticks)) {
    state_.counters.memory_hits.add();
    return memory_result(std::move(found), ticks);
  }
  core_->check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  ReadRequest request = read_request(*core_, state_, key, options);
  request.callback = std::move(callback);
  request.ttl = ttl;
  return run_read(core_, std::move(request));
}

ReadResult DatasetCore::refresh(std::string_view key, milliseconds deadline) {
  core_->check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  const SteadyTime until = core_->after(deadline);
  RefreshRequest request{.dataset = &state_, .id = state_.id(key), .reason = RefreshReason::asked};
  if (!core_->refresh_path->has_source(request)) {
    throw BadConfiguration("dataset \"" + state_.name + "\" has no refresh callback to run");
  }
  struct Answer {
    std::shared_ptr<Event> event;
    FlightResult flight;
  };
  auto answer = std::make_shared<Answer>();
  answer->event = core_->executor->make_event();
  core_->refresh_path->run(std::move(request), [answer](const FlightResult& result) {
    answer->flight = result;
    answer->event->set();
  });
  const bool in_time = answer->event->wait_until(until);
  ReadResult result = run_read(
      core_, read_request(*core_, state_, key,
                          {.deadline = milliseconds(0), .reach = Reach::local, .max_stale = {}}));
  Passage passage = passage_of(result);
  if (!in_time) {
    passage.source = TierAnswer::timed_out;
  } else if (answer->flight.status == FlightResult::Status::saved ||
             answer->flight.status == FlightResult::Status::not_modified) {
    passage.source = TierAnswer::hit;
    if (result.resident && result.tier != Tier::none) result.tier = Tier::source;
  } else {
    passage.source = answer->flight.status == FlightResult::Status::not_found
                         ? TierAnswer::not_found
                         : TierAnswer::failed;
    passage.why = answer->flight.why;
  }
  result.passage = std::make_shared<Passage>(std::move(passage));
  return result;
}

// --- Writing ---

PutReceipt DatasetCore::put(PutItem item, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  state_.counters.puts.add();
  return write_one(*core_, state_, change_of(*core_, state_, std::move(item), options), options);
}

void DatasetCore::put_async(PutItem item, const PutOptions& options, PutHandler handler) {
  auto refuse = [&](std::exception_ptr error) {
    core_->executor->post(Lane::compute, [handler, error] { handler({}, error); });
  };
  try {
    core_->check_open();
    require_store(*core_, options);
    state_.counters.puts.add();
    auto change = std::make_shared<Change>(change_of(*core_, state_, std::move(item), options));
    core_->executor->post(
        Lane::disk, [core = core_, &state = state_, change, options, handler = std::move(handler)] {
          const std::string key = change->key;
          std::vector<Change> changes;
          changes.push_back(std::move(*change));
          core->write_path->write(
              std::move(changes), options.deadline,
              [core, &state, key, options, handler](const std::vector<ChangeResult>& results) {
                PutReceipt receipt;
                std::exception_ptr error;
                try {
                  receipt = receipt_or_throw(state, results.front());
                } catch (...) {
                  error = std::current_exception();
                }
                const bool wait =
                    !error && options.durability == Durability::store && receipt.journaled;
                if (!wait) {
                  return core->executor->post(
                      Lane::compute, [handler, receipt, error] { handler(receipt, error); });
                }
                core->write_path->when_settled(
                    state.id(key), receipt.version,
                    [handler, receipt](const WritePath::Settled& settled) mutable {
                      receipt.stored = !settled.superseded && !settled.refused;
                      receipt.superseded = settled.superseded;
                      handler(receipt, nullptr);
                    });
              });
        });
  } catch (...) {
    refuse(std::current_exception());
  }
}

std::vector<PutReceipt> DatasetCore::put_many(std::vector<PutItem> items,
                                              const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  const SteadyTime deadline = core_->after(options.deadline);
  std::vector<Change> changes;
  std::vector<std::string> keys;
  changes.reserve(items.size());
  for (PutItem& item : items) {
    keys.push_back(item.key);
    changes.push_back(change_of(*core_, state_, std::move(item), options));
  }
  if (changes.empty()) return {};
  state_.counters.puts.add(changes.size());
  const auto results = core_->write_path->write_and_wait(std::move(changes), options.deadline);
  std::vector<PutReceipt> receipts;
  receipts.reserve(results.size());
  for (const ChangeResult& result : results) receipts.push_back(receipt_or_throw(state_, result));
  if (options.durability == Durability::store) {
    for (std::size_t i = 0; i < receipts.size(); ++i) {
      wait_until_stored(*core_, state_, keys[i], deadline, receipts[i]);
    }
  }
  return receipts;
}

PutReceipt DatasetCore::erase(std::string_view key, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  state_.counters.erases.add();
  Change change;
  change.dataset = &state_;
  change.key = std::string(key);
  change.entry.kind = EntryKind::tombstone;
  change.if_version = options.if_version;
  return write_one(*core_, state_, std::move(change), options);
}

PutReceipt DatasetCore::erase_matching(std::string_view glob, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  if (glob.size() > core_->options.limits.max_key_bytes || glob.empty()) {
    throw InvalidKey(
        "the pattern of erase_matching is empty or longer than limits.max_key_bytes. "
        "Nothing was done.");
  }
  state_.counters.erases.add();
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::erase_matching;
  change.key = std::string(glob);
  change.entry.kind = EntryKind::tombstone;
  PutOptions journal_only = options;
  journal_only.durability = Durability::journal;
  PutReceipt receipt = write_one(*core_, state_, std::move(change), journal_only);
  if (options.durability == Durability::store) {
    core_->drain->kick();
    const EntryId erased = state_.id(glob);
    if (!core_->changed->wait(core_->after(options.deadline),
                              [&] { return !core_->journal->is_erase_unsettled(erased); })) {
      throw DeadlineExceeded(
          "the erase of \"" + std::string(glob) + "\" in dataset \"" + state_.name +
          "\" is journaled, but the store has not confirmed it in time; it will be "
          "sent until it does");
    }
    receipt.stored = true;
  }
  return receipt;
}

PutReceipt DatasetCore::invalidate(std::string_view key, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::clocks;
  change.key = std::string(key);
  change.entry.metadata.clear();
  change.entry.clocks.invalidated_at = core_->now().wall;
  return write_one(*core_, state_, std::move(change), options);
}

// --- Looking ---

std::optional<EntryInfo> DatasetCore::info(std::string_view key) {
  core_->check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->options.limits);
  EntryPtr entry;
  const auto found = core_->memory->peek(state_.ref(key));
  if (found.resident && found.resident->kind == ResidentKind::document) {
    entry = std::make_shared<Entry>(found.resident->entry);
  } else if (!found.resident || found.resident->kind == ResidentKind::not_found) {
    entry = core_->read_file(state_.id(key)).entry;
  }
  if (!entry || entry->kind == EntryKind::tombstone) return std::nullopt;
  return EntryInfo{.version = entry->version,
                   .size = entry->document->size(),
                   .last_fetch = entry->clocks.last_fetch,
                   .last_rich_fetch = entry->clocks.last_rich_fetch,
                   .invalidated_at = entry->clocks.invalidated_at,
                   .cache_version = entry->cache_version,
                   .metadata = entry->metadata};
}

bool DatasetCore::contains(std::string_view key) {
  return info(key).has_value();
}

KeyPage DatasetCore::keys(std::optional<std::string_view> after, std::size_t limit) {
  core_->check_open();
  KeyPage page;
  page.keys = core_->files->index().page(state_.name, after, limit);
  if (limit > 0 && page.keys.size() == limit) page.next = page.keys.back();
  return page;
}

}  // namespace tiercache::detail
