#include "cache/upkeep/hydration.h"

#include <algorithm>

namespace tiercache::detail {

namespace {

constexpr std::size_t kPage = 500;

}  // namespace

void Hydration::begin(DatasetState& dataset) {
  {
    Lock lock(mutex_);
    ++running_;
  }
  const std::size_t wanted = dataset.policy.options.hydrate.most_recent;
  if (!calls_.uses_store() || wanted == 0) return end(dataset);
  feed_.when_placed(
      runtime_.tasks.kept([this, &dataset, wanted] { next_page(dataset, {}, wanted); }));
}

void Hydration::begin_all() {
  for (const std::string& name : runtime_.datasets.names()) begin(*runtime_.datasets.find(name));
}

void Hydration::next_page(DatasetState& dataset, const std::string& cursor, std::size_t left) {
  runtime_.tasks.post(Lane::store,
                      [this, &dataset, cursor, left] { take_page(dataset, cursor, left); });
}

void Hydration::take_page(DatasetState& dataset, const std::string& cursor, std::size_t left) {
  if (!runtime_.is_open()) return end(dataset);
  const ScanReply page = calls_.scan(dataset.name, cursor, std::min(left, kPage));
  if (page.status != StoreStatus::ok) {
    runtime_.log.warn(LogTopic::store, LogSubject{dataset.name},
                      "dataset {} is not hydrated from the store: {}", dataset.name, page.message);
    return end(dataset);
  }
  if (identity_.may_keep()) local_.take_rows(page.entries);
  const std::size_t taken = page.entries.size();
  const bool enough = taken >= left || bounds_.are_exceeded();
  if (page.next.empty() || taken == 0 || enough) return end(dataset);
  next_page(dataset, page.next, left - taken);
}

void Hydration::end(DatasetState& dataset) {
  hydrated_(dataset);
  {
    Lock lock(mutex_);
    --running_;
  }
  runtime_.changed.notify();
}

bool Hydration::is_running() const {
  Lock lock(mutex_);
  return running_ > 0;
}

}  // namespace tiercache::detail
