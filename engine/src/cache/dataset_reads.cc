// The reading calls of a dataset, in terms of read operations.
#include <atomic>
#include <utility>

#include "base/answer_once.h"
#include "cache/config_check.h"
#include "cache/core.h"
#include "cache/reading/read_op.h"
#include "cache/runtime/named_item.h"
#include "tiercache/detail/dataset_core.h"
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
          .deadline = core.runtime().after(options.deadline),
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
  auto pending = std::make_shared<PendingRead>(*core->runtime().executor);
  op->remote([pending](ReadResult result) { pending->set(std::move(result)); });
  if (!pending->event->wait_until(deadline)) {
    op->time_out();
    pending->event->wait_until(kNever);
  }
  return std::move(pending->result);
}

ReadResult run_read(const std::shared_ptr<Core>& core, ReadRequest request) {
  const SteadyTime deadline = request.deadline;
  auto op = std::make_shared<ReadOp>(core->read_parts(), std::move(request));
  if (auto result = op->local()) return std::move(*result);
  return wait_for(core, op, deadline);
}

// What memory may serve as it is, without a look at lower tiers and with nothing to refresh. Not in
// a forked child: a thread of the parent may have held memory's locks when it was made. Written
// into the caller's result: returning an optional one takes 77 instructions more, of 340.
[[gnu::always_inline]] inline bool hit_in_memory(Core& core, DatasetState& dataset,
                                                 std::string_view key, ReadResult* result) {
  MemoryTier::Found found = core.local().memory().find(dataset.ref(key));
  const Ticks ticks = core.runtime().coarse_ticks();
  const bool servable = found.resident && found.resident->kind == ResidentKind::document &&
                        ticks < found.lifetimes.fresh_until &&
                        ticks < found.lifetimes.trusted_until && !found.outdated;
  if (!servable) return false;
  dataset.counters.memory_hits.add();
  result->age = age_at(found.lifetimes, ticks);
  result->freshness = freshness_at(found.lifetimes, ticks);
  result->tier = Tier::memory;
  result->resident = std::move(found.resident);
  return true;
}

// What a handler, which takes no exception, is given for a call that an exception would end.
ReadResult not_made(std::string why) {
  auto passage = std::make_shared<Passage>();
  passage->call_why = std::move(why);
  ReadResult result;
  result.passage = std::move(passage);
  return result;
}

// Asks the local tiers on the disk lane, and then the others. If the lane has not come through with
// the first by the deadline, `give_up` is called instead, on the compute lane (I7).
void read_in_time(const Runtime& runtime, SteadyTime deadline, std::shared_ptr<ReadOp> op,
                  ReadHandler answer, std::function<void()> give_up) {
  Executor& executor = *runtime.executor;
  auto decided = std::make_shared<std::atomic<bool>>(false);
  Executor::TimerId timer = 0;
  if (deadline != kNever) {
    timer = executor.schedule(deadline, Lane::compute, [decided, give_up = std::move(give_up)] {
      if (!decided->exchange(true)) give_up();
    });
  }
  executor.post(Lane::disk,
                [&executor, timer, decided, op = std::move(op), answer = std::move(answer)] {
                  if (decided->load()) return;
                  auto result = op->local();
                  if (decided->exchange(true)) return;
                  if (timer != 0) executor.cancel(timer);
                  result ? answer(std::move(*result)) : op->remote(answer);
                });
}

// The answer of a read that the disk lane did not come to.
ReadResult what_memory_has(const std::shared_ptr<Core>& core, ReadRequest request) {
  request.reach = Reach::memory;
  ReadResult result = run_read(core, std::move(request));
  Passage passage = passage_of(result);
  passage.files = TierAnswer::timed_out;
  passage.files_why = "the files did not answer by the call's deadline";
  result.passage = std::make_shared<Passage>(std::move(passage));
  return result;
}

}  // namespace

DatasetCore::DatasetCore(std::shared_ptr<Core> core, DatasetState& state)
    : core_(std::move(core)), state_(state) {}

DatasetCore::~DatasetCore() = default;

const std::string& DatasetCore::name() const {
  return state_.name;
}

ReadResult DatasetCore::get(std::string_view key, const GetOptions& options) {
  ReadResult hit;
  if (core_->runtime().is_own_process() && hit_in_memory(*core_, state_, key, &hit)) return hit;
  options.reach == Reach::memory ? core_->runtime().check_process() : core_->runtime().check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  return run_read(core_, read_request(*core_, state_, key, options));
}

ReadResult DatasetCore::peek(std::string_view key) {
  return get(key, {.deadline = milliseconds(0), .reach = Reach::memory, .max_stale = {}});
}

void DatasetCore::get_async(std::string key, const GetOptions& options, ReadHandler handler) {
  core_->runtime().check_process();  // a forked child has no thread to answer
  // Whichever lane has the answer, the handler runs on the compute lane. What the executor drops,
  // since the cache closes, is answered all the same.
  auto first = std::make_shared<AnswerOnce<ReadResult>>(
      [core = core_, handler = std::move(handler)](const ReadResult& result) {
        auto last = std::make_shared<AnswerOnce<ReadResult>>(handler, result);
        core->runtime().executor->post(Lane::compute, [last, result] { last->tell(result); });
      },
      not_made("the cache was closed meanwhile."));
  ReadHandler answer = [first](ReadResult result) { first->tell(std::move(result)); };
  try {
    core_->runtime().check_open();
    check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  } catch (const Error& error) {
    return answer(not_made(error.what()));
  }
  ReadResult hit;
  if (hit_in_memory(*core_, state_, key, &hit)) return answer(std::move(hit));
  const ReadRequest request = read_request(*core_, state_, key, options);
  auto op = std::make_shared<ReadOp>(core_->read_parts(), request);
  read_in_time(core_->runtime(), request.deadline, std::move(op), answer,
               [core = core_, request, answer] { answer(what_memory_has(core, request)); });
}

std::vector<ReadResult> DatasetCore::get_many(std::span<const std::string> keys,
                                              const GetOptions& options) {
  core_->runtime().check_open();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    named_item("keys", i, [&] {
      check_key(state_.name, keys[i], state_.policy.options.keyed, core_->key_rules());
    });
  }
  const SteadyTime deadline = core_->runtime().after(options.deadline);
  struct Open {
    std::size_t index;
    std::shared_ptr<ReadOp> op;
    std::shared_ptr<PendingRead> pending;
  };
  std::vector<ReadResult> results(keys.size());
  std::vector<Open> open;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto op = std::make_shared<ReadOp>(core_->read_parts(),
                                       read_request(*core_, state_, keys[i], options));
    if (auto result = op->local()) {
      results[i] = std::move(*result);
    } else {
      open.push_back({i, std::move(op), std::make_shared<PendingRead>(*core_->runtime().executor)});
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
  core_->runtime().check_process();
  ReadResult hit;
  if (hit_in_memory(*core_, state_, key, &hit)) return hit;
  core_->runtime().check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  ReadRequest request = read_request(*core_, state_, key, options);
  request.callback = std::move(callback);
  request.ttl = ttl;
  return run_read(core_, std::move(request));
}

ReadResult DatasetCore::refresh(std::string_view key, milliseconds deadline) {
  core_->runtime().check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  const SteadyTime until = core_->runtime().after(deadline);
  RefreshRequest request{.dataset = &state_, .id = state_.id(key), .reason = RefreshReason::asked};
  if (!core_->refreshes().has_source(request)) {
    throw BadConfiguration("dataset \"" + state_.name + "\" has no refresh callback to run");
  }
  struct Answer {
    std::shared_ptr<Event> event;
    FlightResult flight;
  };
  auto answer = std::make_shared<Answer>();
  answer->event = core_->runtime().executor->make_event();
  core_->refreshes().run(std::move(request), [answer](const FlightResult& result) {
    answer->flight = result;
    answer->event->set();
  });
  const bool in_time = answer->event->wait_until(until);
  const bool fetched = in_time && (answer->flight.status == FlightResult::Status::saved ||
                                   answer->flight.status == FlightResult::Status::not_modified);
  GetOptions what_is_there{.deadline = milliseconds(0), .reach = Reach::local, .max_stale = {}};
  // What was fetched is what was asked for, even if it lives for less than the fetch took.
  if (fetched) what_is_there.max_stale = milliseconds::max();
  ReadResult result = run_read(core_, read_request(*core_, state_, key, what_is_there));
  Passage passage = passage_of(result);
  if (!in_time) {
    passage.source = TierAnswer::timed_out;
    passage.source_why = core_->refreshes().no_answer_yet(state_.id(key));
  } else {
    passage.source = answer_of(answer->flight.status);
    passage.source_why = answer->flight.why;
    if (answer->flight.status == FlightResult::Status::failed) {
      passage.source_why += core_->refreshes().next_try(state_.id(key));
    }
    const bool served = result.resident && result.tier != Tier::none;
    if (served && passage.source == TierAnswer::hit) result.tier = Tier::source;
  }
  result.passage = std::make_shared<Passage>(std::move(passage));
  return result;
}

// --- Looking ---

std::optional<EntryInfo> DatasetCore::info(std::string_view key) {
  core_->runtime().check_open();
  check_key(state_.name, key, state_.policy.options.keyed, core_->key_rules());
  const EntryPtr entry = core_->local().find(state_, state_.id(key));
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
  core_->runtime().check_open();
  KeyPage page;
  page.keys = core_->local().keys(state_.name, after, limit);
  if (limit > 0 && page.keys.size() == limit) page.next = page.keys.back();
  return page;
}

}  // namespace tiercache::detail
