#include "cache/upkeep/hydration.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/spoken.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kPage = 500;
// Between tries of a page that the store has failed to answer.
constexpr BackoffOptions kPagePause{.first = std::chrono::seconds(2),
                                    .cap = std::chrono::minutes(1)};

}  // namespace

void Hydration::begin(DatasetState& dataset) {
  {
    Lock lock(mutex_);
    ++running_;
  }
  const Course course{dataset.policy.options.hydrate.most_recent};
  if (!calls_.uses_store() || course.left == 0) return end(dataset, course);
  feed_.when_placed(runtime_.tasks.kept([this, &dataset, course] { next_page(dataset, course); }));
}

void Hydration::begin_all() {
  for (const std::string& name : runtime_.datasets.names()) begin(*runtime_.datasets.find(name));
}

void Hydration::next_page(DatasetState& dataset, const Course& course) {
  runtime_.tasks.post(Lane::store, [this, &dataset, course] { take_page(dataset, course); });
}

void Hydration::take_page(DatasetState& dataset, Course course) {
  if (!runtime_.is_open()) return end(dataset, course);
  const ScanReply page = calls_.scan(dataset.name, course.cursor, std::min(course.left, kPage));
  if (page.status != StoreStatus::ok) {
    return try_later(dataset, std::move(course), page.message);
  }
  if (identity_.may_keep()) local_.take_rows(page.entries);
  const std::size_t taken = page.entries.size();
  const bool last = page.next.empty() || taken == 0 || taken >= course.left;
  if (last || bounds_.are_exceeded()) return end(dataset, course);
  course.cursor = page.next;
  course.left -= taken;
  next_page(dataset, course);
}

void Hydration::try_later(DatasetState& dataset, Course course, const std::string& why) {
  milliseconds pause;
  {
    Lock lock(mutex_);
    pause = kPagePause.first + backoff_delay(kPagePause, course.failures, random_);
  }
  runtime_.log.warn(LogTopic::store, LogSubject{dataset.name},
                    "dataset {} is not hydrated from the store yet: {}; next try in {}",
                    dataset.name, why, spoken(pause));
  if (course.failures++ == 0) end(dataset, {});
  runtime_.tasks.later(runtime_.after(pause), Lane::store,
                       [this, &dataset, course] { take_page(dataset, course); });
}

void Hydration::end(DatasetState& dataset, const Course& course) {
  hydrated_(dataset);
  if (course.failures == 0) {
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
