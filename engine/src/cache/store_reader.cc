#include "cache/store_reader.h"

#include <algorithm>
#include <utility>

#include "cache/core.h"

namespace tiercache::detail {

namespace {

constexpr std::chrono::milliseconds kFirstRest{100};
constexpr std::chrono::milliseconds kLongestRest{5'000};

LoadedRow unavailable(const std::string& why) {
  return {.status = StoreStatus::unavailable, .entry = nullptr, .corrupt = false, .message = why};
}

}  // namespace

void StoreReader::load(const EntryId& id, Handler handler) {
  std::string failure;
  {
    Lock lock(mutex_);
    if (!resting()) {
      waiting_[id].push_back(std::move(handler));
      if (calls_ >= kCallsAtOnce) return;
      ++calls_;
      core_.executor->post(Lane::store,
                           [core = core_.shared_from_this()] { core->store_reader->run_batch(); });
      return;
    }
    failure = last_failure_;
  }
  core_.executor->post(Lane::compute,
                       [handler = std::move(handler), failure] { handler(unavailable(failure)); });
}

bool StoreReader::resting() const {
  return failures_ > 0 && core_.clock->steady_now() < rests_until_;
}

void StoreReader::run_batch() {
  std::vector<EntryId> ids;
  std::vector<std::vector<Handler>> handlers;
  {
    Lock lock(mutex_);
    while (!waiting_.empty() && ids.size() < kBatch) {
      auto node = waiting_.extract(waiting_.begin());
      ids.push_back(std::move(node.key()));
      handlers.push_back(std::move(node.mapped()));
    }
    if (ids.empty()) {
      --calls_;
      return;
    }
  }
  const SteadyTime began = core_.clock->steady_now();
  const LoadReply reply = core_.store->load(core_.options.project, ids,
                                            core_.after(core_.options.store_calls.call_timeout));
  const SteadyTime ended = core_.clock->steady_now();
  core_.store_loads.add();
  core_.store_answered(reply, ended - began);
  {
    Lock lock(mutex_);
    failures_ = reply.status == StoreStatus::ok ? 0 : failures_ + 1;
    if (failures_ > 0) {
      last_failure_ = reply.message;
      rests_until_ = ended + std::min(kLongestRest, kFirstRest * (1 << std::min(failures_ - 1, 6)));
    }
    core_.executor->post(Lane::store,
                         [core = core_.shared_from_this()] { core->store_reader->run_batch(); });
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    LoadedRow row{
        .status = reply.status, .entry = nullptr, .corrupt = false, .message = reply.message};
    if (reply.status == StoreStatus::ok) {
      row.entry = reply.entries[i];
      row.corrupt = reply.corrupt[i];
    }
    for (const Handler& handler : handlers[i]) handler(row);
  }
}

void StoreReader::close() {
  std::map<EntryId, std::vector<Handler>> waiting;
  {
    Lock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [id, handlers] : waiting) {
    for (const Handler& handler : handlers) handler(unavailable("the cache is closing"));
  }
}

}  // namespace tiercache::detail
