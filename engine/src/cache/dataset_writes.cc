// The writing calls of a dataset, in terms of changes.
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/answer_once.h"
#include "cache/config_check.h"
#include "cache/core.h"
#include "cache/runtime/named_item.h"
#include "cache/writing/write_path.h"
#include "cache/writing/write_receipts.h"
#include "json/document.h"
#include "json/envelope.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

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
  check_key(dataset.name, item.key, dataset.policy.options.keyed, core.key_rules());
  const std::string what = "document for dataset \"" + dataset.name + "\": ";
  if (item.fault)
    throw InvalidDocument(what + what_codec_threw(item.fault) + ". Nothing was stored.");
  if (const auto fault = check_document(*item.document, core.runtime().rules)) {
    throw InvalidDocument(what + fault->to_string() + ". Nothing was stored.");
  }
  if (const auto fault = metadata_fault(options.metadata)) {
    throw InvalidDocument(what + "its metadata " + *fault + ". Nothing was stored.");
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
  } catch (...) {
    throw InvalidDocument(what + "the dataset's validate refused it. Nothing was stored.");
  }
  Change change;
  change.dataset = &dataset;
  change.key = std::move(item.key);
  change.entry.checksum = Checksum::of(*item.document);
  change.entry.document = std::move(item.document);
  change.entry.metadata = std::string(options.metadata);
  change.entry.cache_version = dataset.policy.options.cache_version;
  change.entry.fresh_for = lifetime_from(options.fresh_for);
  change.entry.clocks.last_fetch = core.local().fetch_time(dataset.id(change.key));
  change.value = std::move(item.value);
  change.value_bytes = item.value_bytes;
  change.if_version = options.if_version;
  return change;
}

bool waits_for_store(const Core& core, const PutOptions& options) {
  return options.durability == Durability::store && core.store_writer().sends();
}

// A call's wait for the store.
class StoreWait {
 public:
  explicit StoreWait(Core& core) : core_(core), answer_(std::make_shared<Answer>()) {
    answer_->event = core.runtime().executor->make_event();
    waiter_ = std::make_shared<Settlements::Waiter>([answer = answer_](const Settled& settled) {
      answer->settled = settled;
      answer->event->set();
    });
  }
  ~StoreWait() { core_.settlements().forget(waiter_); }
  StoreWait(const StoreWait&) = delete;
  StoreWait& operator=(const StoreWait&) = delete;

  const Settlements::WaiterPtr& waiter() const { return waiter_; }
  // Nullopt: the store has not settled it by then.
  std::optional<Settled> until(SteadyTime deadline) const {
    if (!answer_->event->wait_until(deadline)) return std::nullopt;
    return answer_->settled;
  }

 private:
  struct Answer {
    std::shared_ptr<Event> event;
    Settled settled;  // written before `event` is set, read after
  };
  Core& core_;
  const std::shared_ptr<Answer> answer_;
  Settlements::WaiterPtr waiter_;
};

// What is compared with a version and is to be in the store is made only if the store has that
// version: else it would stand for a write whose fate is not known.
bool is_base_unconfirmed(const Core& core, const EntryId& id, const Change& change) {
  Version unsettled;
  return change.if_version && core.local().journal().is_unsettled(id, &unsettled) &&
         unsettled == *change.if_version;
}

void wait_for_base(Core& core, const DatasetState& dataset, const Change& change,
                   SteadyTime deadline) {
  const EntryId id = dataset.id(change.key);
  if (!is_base_unconfirmed(core, id, change)) return;
  const std::shared_ptr<Event> ended = core.runtime().executor->make_event();
  core.store_writer().when_settled(id, *change.if_version, deadline, [ended] { ended->set(); });
  ended->wait_until(deadline);
  if (!is_base_unconfirmed(core, id, change)) return;
  throw_base_unconfirmed(core.store_outlook(), dataset,
                         written_as(dataset, change.key, *change.if_version, RecordKind::content));
}

// An asynchronous put on its way: answered once, on the compute lane.
class PendingPut : public std::enable_shared_from_this<PendingPut> {
 public:
  PendingPut(std::shared_ptr<Core> core, DatasetState& dataset, const PutOptions& options,
             PutHandler handler)
      : core_(std::move(core)),
        dataset_(dataset),
        waits_(waits_for_store(*core_, options)),
        deadline_(core_->runtime().after(options.deadline)),
        handler_(handler ? std::move(handler)
                         : [](const PutReceipt&, const std::exception_ptr&) {}) {}
  // The executor has dropped what was to make it or to answer it: the cache is closed.
  ~PendingPut() {
    if (answered_.load()) return;
    handler_({}, std::make_exception_ptr(Closed("the cache of project \"" +
                                                core_->runtime().options.project +
                                                "\" was closed before this write was answered")));
  }
  PendingPut(const PendingPut&) = delete;
  PendingPut& operator=(const PendingPut&) = delete;

  void start(Change change) {
    const EntryId id = dataset_.id(change.key);
    auto shared = std::make_shared<Change>(std::move(change));
    if (!waits_ || !is_base_unconfirmed(*core_, id, *shared)) return write(std::move(shared));
    const Version base = *shared->if_version;
    core_->store_writer().when_settled(
        id, base, deadline_, [self = shared_from_this(), shared, id] {
          if (!is_base_unconfirmed(*self->core_, id, *shared)) return self->write(shared);
          self->answer([&]() -> PutReceipt {
            throw_base_unconfirmed(
                self->core_->store_outlook(), self->dataset_,
                written_as(self->dataset_, shared->key, *shared->if_version, RecordKind::content));
          });
        });
  }
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
    using Told = std::pair<PutReceipt, std::exception_ptr>;
    auto once = std::make_shared<AnswerOnce<Told>>(
        [handler = handler_](const Told& told) { handler(told.first, told.second); },
        Told{receipt, error});
    core_->runtime().executor->post(Lane::compute,
                                    [once, told = Told{receipt, error}] { once->tell(told); });
  }

 private:
  void write(std::shared_ptr<Change> change) {
    if (!core_->runtime().is_open()) {
      return answer([this]() -> PutReceipt {
        core_->runtime().check_open();
        return {};
      });
    }
    if (waits_) {
      change->waiter = std::make_shared<Settlements::Waiter>(
          [self = shared_from_this()](const Settled& settled) { self->settled(settled); });
    }
    set_timer(change->waiter);
    core_->runtime().executor->post(Lane::disk, [self = shared_from_this(), change] {
      if (!self->begin()) return;
      const Settlements::WaiterPtr waiter = change->waiter;
      const std::string key = change->key;
      const auto left = std::chrono::ceil<milliseconds>(self->deadline_ -
                                                        self->core_->runtime().clock->steady_now());
      self->core_->writes().write_one(
          std::move(*change), std::max(milliseconds(0), left),
          [self, waiter, key](const ChangeResult& result) { self->written(key, result, waiter); });
    });
  }
  // Neither the queue before the disk nor the disk keeps the caller beyond his deadline (I7).
  void set_timer(const Settlements::WaiterPtr& waiter) {
    if (deadline_ == kNever) return;
    Lock lock(mutex_);
    timer_ = core_->runtime().executor->schedule(
        deadline_, Lane::compute, [self = shared_from_this(), waiter] { self->give_up(waiter); });
  }
  // False if the call has been given up.
  bool begin() {
    Lock lock(mutex_);
    if (course_ != Course::waits) return false;
    course_ = Course::begun;
    return true;
  }
  void give_up(const Settlements::WaiterPtr& waiter) {
    ChangeResult result;
    {
      Lock lock(mutex_);
      if (course_ == Course::journaled) return;
      result = course_ == Course::waits ? result_of(ChangeResult::Status::in_the_way, {},
                                                    "the deadline passed before it was begun")
                                        : still_being_written();
      course_ = Course::given_up;
    }
    core_->settlements().forget(waiter);
    answer([&] { return receipt_or_throw(dataset_, result); });
  }
  // The store may have settled it before this is told.
  void settled(const Settled& settled) {
    {
      Lock lock(mutex_);
      settled_ = settled;
      if (!receipt_) return;
    }
    conclude();
  }
  void written(const std::string& key, const ChangeResult& result,
               const Settlements::WaiterPtr& waiter) {
    {
      Lock lock(mutex_);
      if (course_ == Course::given_up) return;
      course_ = Course::journaled;
      if (timer_ != 0) core_->runtime().executor->cancel(timer_);
    }
    if (!result.is_journaled() || !waits_) {
      return answer([&] { return receipt_or_throw(dataset_, result); });
    }
    {
      Lock lock(mutex_);
      receipt_ = receipt_or_throw(dataset_, result);
      if (settled_) return conclude();
    }
    const OutboxWrite write = written_as(dataset_, key, result.version, RecordKind::content);
    core_->runtime().executor->schedule(
        deadline_, Lane::compute, [self = shared_from_this(), waiter, write] {
          self->core_->settlements().forget(waiter);
          self->answer([&]() -> PutReceipt {
            throw_not_stored_in_time(self->core_->store_outlook(), self->dataset_, write);
          });
        });
    core_->store_writer().kick();
  }
  void conclude() {
    answer([this] { return settled_or_throw(dataset_, *receipt_, *settled_); });
  }

  const std::shared_ptr<Core> core_;
  DatasetState& dataset_;
  const bool waits_;
  const SteadyTime deadline_;
  const PutHandler handler_;
  std::atomic<bool> answered_{false};
  Mutex mutex_;
  enum class Course : std::uint8_t { waits, begun, journaled, given_up };
  Course course_ TIERCACHE_GUARDED_BY(mutex_) = Course::waits;
  Executor::TimerId timer_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  // Set under `mutex_`, each once; `conclude`, which needs both, may then read them without it.
  std::optional<Settled> settled_;
  std::optional<PutReceipt> receipt_;
};

void require_store(const Core& core, const PutOptions& options) {
  if (options.durability == Durability::store && !core.store_calls().uses_store()) {
    throw BadConfiguration(
        "Durability::store was asked for, but this cache has no store (or it is "
        "switched off). Nothing was stored.");
  }
}

PutReceipt write_one(Core& core, DatasetState& dataset, Change change, const PutOptions& options) {
  const SteadyTime deadline = core.runtime().after(options.deadline);
  std::optional<StoreWait> wait;
  if (waits_for_store(core, options)) {
    wait_for_base(core, dataset, change, deadline);
    change.waiter = wait.emplace(core).waiter();
  }
  OutboxWrite write = written_as(dataset, change.key, {}, change.kind);
  std::vector<Change> changes;
  changes.push_back(std::move(change));
  const auto results = core.writes().write_and_wait(std::move(changes), options.deadline);
  const PutReceipt receipt = receipt_or_throw(dataset, results.front());
  if (!wait || !receipt.journaled) return receipt;
  core.store_writer().kick();
  const std::optional<Settled> settled = wait->until(deadline);
  write.version = receipt.version;
  if (!settled) throw_not_stored_in_time(core.store_outlook(), dataset, write);
  return settled_or_throw(dataset, receipt, *settled);
}

// Item by item, for nothing is thrown once one of them is written.
void wait_for_items(const Core& core, const std::vector<OutboxWrite>& writes,
                    const std::vector<std::unique_ptr<StoreWait>>& waits, SteadyTime deadline,
                    std::vector<PutReceipt>* receipts) {
  for (std::size_t i = 0; i < receipts->size(); ++i) {
    PutReceipt& receipt = (*receipts)[i];
    if (!receipt.journaled) continue;
    const std::optional<Settled> settled = waits[i]->until(deadline);
    if (!settled) {
      OutboxWrite write = writes[i];
      write.version = receipt.version;
      receipt.why = not_stored_in_time(core.store_outlook(), write);
    } else {
      receipt = settled_receipt(receipt, *settled);
    }
  }
}

}  // namespace

PutReceipt DatasetCore::put(PutItem item, const PutOptions& options) {
  core_->runtime().check_open();
  require_store(*core_, options);
  Change change = change_of(*core_, state_, std::move(item), options);
  state_.counters.puts.add();
  return write_one(*core_, state_, std::move(change), options);
}

void DatasetCore::put_async(PutItem item, const PutOptions& options, PutHandler handler) {
  core_->runtime().check_process();  // a forked child has no thread to answer
  auto pending = std::make_shared<PendingPut>(core_, state_, options, std::move(handler));
  try {
    core_->runtime().check_open();
    require_store(*core_, options);
    Change change = change_of(*core_, state_, std::move(item), options);
    state_.counters.puts.add();
    pending->start(std::move(change));
  } catch (...) {
    pending->answer([]() -> PutReceipt { throw; });
  }
}

std::vector<PutReceipt> DatasetCore::put_many(std::vector<PutItem> items,
                                              const PutOptions& options) {
  core_->runtime().check_open();
  require_store(*core_, options);
  const SteadyTime deadline = core_->runtime().after(options.deadline);
  std::vector<Change> changes;
  std::vector<std::unique_ptr<StoreWait>> waits;
  changes.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    changes.push_back(named_item(
        "values", i, [&] { return change_of(*core_, state_, std::move(items[i]), options); }));
  }
  std::vector<OutboxWrite> writes;
  if (waits_for_store(*core_, options)) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      Change& change = changes[i];
      named_item("values", i, [&] { wait_for_base(*core_, state_, change, deadline); });
      change.waiter = waits.emplace_back(std::make_unique<StoreWait>(*core_))->waiter();
      writes.push_back(written_as(state_, change.key, {}, change.kind));
    }
  }
  if (changes.empty()) return {};
  state_.counters.puts.add(changes.size());
  const auto results = core_->writes().write_and_wait(std::move(changes), options.deadline);
  std::vector<PutReceipt> receipts;
  receipts.reserve(results.size());
  for (const ChangeResult& result : results) receipts.push_back(receipt_of_item(result));
  if (std::ranges::none_of(results, &ChangeResult::succeeded)) throw_none_written(state_, results);
  if (waits.empty()) return receipts;
  core_->store_writer().kick();
  wait_for_items(*core_, writes, waits, deadline, &receipts);
  return receipts;
}

PutReceipt DatasetCore::erase(std::string_view key, const PutOptions& options) {
  core_->runtime().check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  state_.counters.erases.add();
  Change change;
  change.dataset = &state_;
  change.key = std::string(key);
  change.entry.kind = EntryKind::tombstone;
  change.if_version = options.if_version;
  return write_one(*core_, state_, std::move(change), options);
}

PutReceipt DatasetCore::erase_matching(std::string_view glob, const PutOptions& options) {
  core_->runtime().check_open();
  require_store(*core_, options);
  check_glob(state_.name, glob, core_->key_rules());
  state_.counters.erases.add();
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::erase_matching;
  change.key = std::string(glob);
  change.entry.kind = EntryKind::tombstone;
  return write_one(*core_, state_, std::move(change), options);
}

PutReceipt DatasetCore::invalidate(std::string_view key, const PutOptions& options) {
  core_->runtime().check_open();
  require_store(*core_, options);
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  Change change;
  change.dataset = &state_;
  change.kind = RecordKind::clocks;
  change.key = std::string(key);
  change.entry.metadata.clear();
  change.entry.clocks.invalidated_at = core_->runtime().now().wall;
  return write_one(*core_, state_, std::move(change), options);
}

}  // namespace tiercache::detail
