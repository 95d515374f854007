// The writing calls of a dataset, in terms of changes.
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
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
#include "tiercache/detail/dataset_core.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// What a journal at its bound is to be helped by: the store is no use where it is what refused.
std::string help_for_full_journal(const Core& core) {
  const std::uint64_t parked = core.journal->stats().parked;
  if (parked == 0) return "bring the store back or raise journal.max_bytes.";
  return std::to_string(parked) +
         " of them are parked, the store refused them for good: Cache::outbox() lists, retries and "
         "discards them. Or raise journal.max_bytes.";
}

PutReceipt receipt_or_throw(const Core& core, const DatasetState& dataset,
                            const ChangeResult& result) {
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
      throw NotDurable(NotDurable::State::not_applied, what + " was refused: " + result.why +
                                                           ". Nothing was stored; " +
                                                           help_for_full_journal(core));
    case Status::not_applied:
      throw NotDurable(NotDurable::State::not_applied,
                       what + " could not be made durable and was not applied: " + result.why +
                           ". Free space or repair the disk, then write again.");
    case Status::in_the_way:
      throw NotDurable(NotDurable::State::not_applied,
                       what + " was not applied by its deadline: " + result.why +
                           ". Write again; give it a longer deadline if that does not help.");
    case Status::unknown:
      throw NotDurable(NotDurable::State::unknown,
                       what + " may or may not have been made durable: " + result.why +
                           ". It may appear later, as version " + result.version.to_string() + ".");
  }
  throw Error(what + " ended in no known way");
}

// Of one among many: a zero version says that it failed.
PutReceipt receipt_or_zero(const ChangeResult& result) {
  using Status = ChangeResult::Status;
  const bool made = result.status == Status::durable || result.status == Status::stored ||
                    result.status == Status::superseded;
  if (!made) return {};
  return {.version = result.version,
          .journaled = result.status == Status::durable,
          .stored = result.status == Status::stored,
          .superseded = result.status == Status::superseded};
}

std::string what_codec_threw(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const InvalidDocument& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("the codec refused it: ") + error.what();
  } catch (...) {
    return "the codec refused it";
  }
}

// Turns what the caller gave into a change, or throws what is wrong with it.
Change change_of(const Core& core, DatasetState& dataset, PutItem item, const PutOptions& options) {
  check_key(dataset.name, item.key, dataset.policy.options.keyed, core.key_rules);
  const std::string what = "document for dataset \"" + dataset.name + "\": ";
  if (item.fault)
    throw InvalidDocument(what + what_codec_threw(item.fault) + ". Nothing was stored.");
  if (const auto fault = check_document(*item.document, core.rules)) {
    throw InvalidDocument(what + fault->to_string() + ". Nothing was stored.");
  }
  if (!is_json_object(options.metadata)) {
    throw InvalidDocument(
        what +
        "its metadata is not a JSON object of at most 32 KiB that a store can hold. Nothing was "
        "stored.");
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
  change.entry.fresh_for = lifetime_from(options.fresh_for);
  change.entry.clocks.last_fetch = core.fetch_time(dataset.id(change.key));
  change.value = std::move(item.value);
  change.value_bytes = item.value_bytes;
  change.if_version = options.if_version;
  return change;
}

// The receipt of a write that the store has settled, or what went wrong with it.
PutReceipt settled_or_throw(const DatasetState& dataset, PutReceipt receipt,
                            const WritePath::Settled& settled) {
  if (settled.refused) {
    throw NotDurable(NotDurable::State::unknown,
                     "a write to dataset \"" + dataset.name +
                         "\" is kept here, but the store refused it: " + settled.why);
  }
  if (settled.closed) {
    throw Closed(
        "a write to dataset \"" + dataset.name + "\" is journaled as version " +
        receipt.version.to_string() +
        ", but the cache was closed before the store confirmed it; the next open sends it");
  }
  receipt.stored = !settled.superseded;
  receipt.superseded = settled.superseded;
  return receipt;
}

[[noreturn]] void throw_not_stored_in_time(const DatasetState& dataset, const PutReceipt& receipt) {
  throw DeadlineExceeded(
      "a write to dataset \"" + dataset.name + "\" is journaled as version " +
      receipt.version.to_string() +
      ", but the store has not confirmed it in time; it will be sent until it does");
}

bool waits_for_store(const Core& core, const PutOptions& options, const PutReceipt& receipt) {
  return options.durability == Durability::store && core.drain && receipt.journaled;
}

// Waits until the store has settled a durable write.
PutReceipt wait_until_stored(const Core& core, const DatasetState& dataset, const std::string& key,
                             SteadyTime deadline, const PutReceipt& receipt) {
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
  if (!answer->event->wait_until(deadline)) throw_not_stored_in_time(dataset, receipt);
  return settled_or_throw(dataset, receipt, answer->settled);
}

// An asynchronous put on its way: answered once, on the compute lane.
class PendingPut : public std::enable_shared_from_this<PendingPut> {
 public:
  PendingPut(std::shared_ptr<Core> core, DatasetState& dataset, const PutOptions& options,
             PutHandler handler)
      : core_(std::move(core)),
        dataset_(dataset),
        durability_(options),
        deadline_(core_->after(options.deadline)),
        handler_(std::move(handler)) {}

  // Answers with what `attempt` returns or throws.
  void answer(const std::function<PutReceipt()>& attempt) {
    if (answered_.exchange(true)) return;
    PutReceipt receipt;
    std::exception_ptr error;
    try {
      receipt = attempt();
    } catch (...) {
      error = std::current_exception();
    }
    core_->executor->post(Lane::compute, [self = shared_from_this(), receipt, error] {
      self->handler_(receipt, error);
    });
  }

  void written(const std::string& key, const ChangeResult& result) {
    if (result.status != ChangeResult::Status::durable ||
        !waits_for_store(
            *core_, durability_,
            {.version = {}, .journaled = true, .stored = false, .superseded = false})) {
      return answer([&] { return receipt_or_throw(*core_, dataset_, result); });
    }
    const PutReceipt receipt = receipt_or_throw(*core_, dataset_, result);
    core_->executor->schedule(deadline_, Lane::compute, [self = shared_from_this(), receipt] {
      self->answer([&]() -> PutReceipt { throw_not_stored_in_time(self->dataset_, receipt); });
    });
    core_->write_path->when_settled(
        dataset_.id(key), receipt.version,
        [self = shared_from_this(), receipt](const WritePath::Settled& settled) {
          self->answer([&] { return settled_or_throw(self->dataset_, receipt, settled); });
        });
    core_->drain->kick();
  }

 private:
  const std::shared_ptr<Core> core_;
  DatasetState& dataset_;
  const PutOptions durability_;
  const SteadyTime deadline_;
  const PutHandler handler_;
  std::atomic<bool> answered_{false};
};

void require_store(const Core& core, const PutOptions& options) {
  if (options.durability == Durability::store && !core.store) {
    throw BadConfiguration(
        "Durability::store was asked for, but this cache has no store (or it is "
        "switched off). Nothing was stored.");
  }
}

// The same for what moves no key's content: clocks and matching erases.
PutReceipt wait_until_sent(const Core& core, const DatasetState& dataset, RecordKind kind,
                           const std::string& key, SteadyTime deadline, const PutReceipt& receipt) {
  const EntryId id = dataset.id(key);
  core.drain->kick();
  if (!core.changed->wait(deadline, [&] { return !core.journal->awaits_store(kind, id); })) {
    throw_not_stored_in_time(dataset, receipt);
  }
  WritePath::Settled settled;
  for (const OutboxWrite& parked : core.journal->parked_of(id)) {
    if (parked.version < receipt.version) continue;
    settled.refused = true;
    settled.why = parked.why;
  }
  return settled_or_throw(dataset, receipt, settled);
}

PutReceipt write_one(Core& core, DatasetState& dataset, Change change, const PutOptions& options) {
  const SteadyTime deadline = core.after(options.deadline);
  const RecordKind kind = change.kind;
  const std::string key = change.key;
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  const auto results = core.write_path->write_and_wait(std::move(changes), options.deadline);
  const PutReceipt receipt = receipt_or_throw(core, dataset, results.front());
  if (!waits_for_store(core, options, receipt)) return receipt;
  if (kind == RecordKind::content) {
    return wait_until_stored(core, dataset, key, deadline, receipt);
  }
  return wait_until_sent(core, dataset, kind, key, deadline, receipt);
}

}  // namespace

PutReceipt DatasetCore::put(PutItem item, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  state_.counters.puts.add();
  return write_one(*core_, state_, change_of(*core_, state_, std::move(item), options), options);
}

void DatasetCore::put_async(PutItem item, const PutOptions& options, PutHandler handler) {
  auto pending = std::make_shared<PendingPut>(core_, state_, options, std::move(handler));
  std::shared_ptr<Change> change;
  try {
    core_->check_open();
    require_store(*core_, options);
    change = std::make_shared<Change>(change_of(*core_, state_, std::move(item), options));
  } catch (...) {
    return pending->answer([]() -> PutReceipt { throw; });
  }
  state_.counters.puts.add();
  core_->executor->post(Lane::disk, [core = core_, pending, change, deadline = options.deadline] {
    const std::string key = change->key;
    std::vector<Change> changes;
    changes.push_back(std::move(*change));
    core->write_path->write(std::move(changes), deadline,
                            [pending, key](const std::vector<ChangeResult>& results) {
                              pending->written(key, results.front());
                            });
  });
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
  for (const ChangeResult& result : results) receipts.push_back(receipt_or_zero(result));
  const bool any = std::any_of(receipts.begin(), receipts.end(), [](const PutReceipt& receipt) {
    return !receipt.version.is_zero();
  });
  if (!any) receipt_or_throw(*core_, state_, results.front());
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    if (!waits_for_store(*core_, options, receipts[i])) continue;
    receipts[i] = wait_until_stored(*core_, state_, keys[i], deadline, receipts[i]);
  }
  return receipts;
}

PutReceipt DatasetCore::erase(std::string_view key, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules);
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
  check_glob(state_.name, glob, core_->key_rules);
  state_.counters.erases.add();
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::erase_matching;
  change.key = std::string(glob);
  change.entry.kind = EntryKind::tombstone;
  return write_one(*core_, state_, std::move(change), options);
}

PutReceipt DatasetCore::invalidate(std::string_view key, const PutOptions& options) {
  core_->check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules);
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::clocks;
  change.key = std::string(key);
  change.entry.metadata.clear();
  change.entry.clocks.invalidated_at = core_->now().wall;
  return write_one(*core_, state_, std::move(change), options);
}

}  // namespace tiercache::detail
