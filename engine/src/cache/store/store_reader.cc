#include "cache/store/store_reader.h"

#include <algorithm>
#include <utility>

namespace tiercache::detail {

namespace {

LoadedRow unavailable(const std::string& why) {
  return {.status = StoreStatus::unavailable, .entry = nullptr, .corrupt = false, .message = why};
}

}  // namespace

void StoreReader::load(const EntryId& id, Handler handler) {
  if (calls_.breaker()->refuses(Breaker::Urgency::reader)) {
    return runtime_.executor->post(
        Lane::compute, [handler = std::move(handler), why = calls_.breaker()->refusal()] {
          handler(unavailable(why));
        });
  }
  Lock lock(mutex_);
  waiting_[id].push_back(std::move(handler));
  if (batches_ >= kCallsAtOnce) return;
  ++batches_;
  runtime_.tasks.post(Lane::store, [this] { run_batch(); });
}

StoreReader::Batch StoreReader::take(std::size_t limit) {
  Batch batch;
  Lock lock(mutex_);
  while (!waiting_.empty() && batch.ids.size() < limit) {
    auto node = waiting_.extract(waiting_.begin());
    batch.ids.push_back(std::move(node.key()));
    batch.handlers.push_back(std::move(node.mapped()));
  }
  if (batch.ids.empty()) --batches_;
  return batch;
}

StoreReader::Batch StoreReader::take_one() {
  Batch one = take(1);
  if (one.ids.empty()) return one;
  std::vector<Handler>& handlers = one.handlers.front();
  const std::vector<Handler> others(std::make_move_iterator(handlers.begin() + 1),
                                    std::make_move_iterator(handlers.end()));
  handlers.resize(1);
  for (const Handler& handler : others) handler(unavailable(calls_.breaker()->refusal()));
  refuse_waiting();
  return one;
}

void StoreReader::run_batch() {
  const Breaker::Permit permit = calls_.breaker()->ask(Breaker::Urgency::reader);
  if (!permit.is_granted()) refuse_waiting();
  const Batch batch = permit.is_probe() ? take_one() : take(kBatch);
  if (batch.ids.empty()) return calls_.breaker()->unused(permit);
  const LoadReply reply = calls_.load(batch.ids, permit);
  runtime_.tasks.post(Lane::store, [this] { run_batch(); });
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    LoadedRow row{
        .status = reply.status, .entry = nullptr, .corrupt = false, .message = reply.message};
    if (reply.status == StoreStatus::ok) {
      row.entry = reply.entries[i];
      row.corrupt = reply.is_corrupt(i);
    }
    for (const Handler& handler : batch.handlers[i]) handler(row);
  }
}

void StoreReader::refuse_waiting() {
  answer_waiting(calls_.breaker()->refusal());
}

void StoreReader::close() {
  answer_waiting("the cache is closing");
}

void StoreReader::answer_waiting(const std::string& why) {
  std::map<EntryId, std::vector<Handler>> waiting;
  {
    Lock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [id, handlers] : waiting) {
    for (const Handler& handler : handlers) handler(unavailable(why));
  }
}

}  // namespace tiercache::detail
