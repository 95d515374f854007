#include "refresh/retry_table.h"

#include <algorithm>
#include <utility>

#include "base/spoken.h"

namespace tiercache {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLongestSourceDelay = std::chrono::hours(24);
// After so many failures the back-off has long reached its cap.
constexpr int kMostFailures = 62;

}  // namespace

void RetryTable::note_failure(const SourceId& source, const BackoffOptions& backoff,
                              milliseconds source_delay, SteadyTime now, Random& random,
                              std::string why) {
  auto failure = failures_.find(source);
  Failure next;
  if (failure != failures_.end()) {
    next = std::move(failure->second);
    forget(failure);
  } else if (failures_.size() >= capacity_ && !order_.empty()) {
    forget(order_.begin()->second);
  }
  const milliseconds delay = backoff_delay(backoff, next.count, random);
  const milliseconds asked = std::clamp(source_delay, milliseconds(0), kLongestSourceDelay);
  next.count = std::min(next.count + 1, kMostFailures);
  next.source_until = std::max(next.source_until, now + asked);
  next.failed_at = now;
  next.why = std::move(why);
  next.place = {std::max(now + delay, next.source_until), ++last_number_};
  failure = failures_.emplace(source, next).first;
  order_.emplace(next.place, failure);
}

void RetryTable::note_success(const SourceId& source) {
  if (const auto failure = failures_.find(source); failure != failures_.end()) forget(failure);
}

std::optional<SteadyTime> RetryTable::retry_at(const SourceId& source, SteadyTime now) const {
  const Failure* failure = find(source);
  if (failure == nullptr || failure->place.retry_at <= now) return std::nullopt;
  return failure->place.retry_at;
}

std::optional<SteadyTime> RetryTable::source_retry_at(const SourceId& source,
                                                      SteadyTime now) const {
  const Failure* failure = find(source);
  if (failure == nullptr || failure->source_until <= now) return std::nullopt;
  return failure->source_until;
}

std::string RetryTable::last_failure(const SourceId& source, SteadyTime now) const {
  const Failure* failure = find(source);
  if (failure == nullptr) return {};
  const auto span = [](SteadyTime from, SteadyTime to) {
    return spoken(std::chrono::duration_cast<milliseconds>(to - from));
  };
  std::string text = "last failure " + span(failure->failed_at, now) + " ago";
  if (!failure->why.empty()) text += ": " + failure->why;
  if (now < failure->source_until) text += "; the source asked to be left alone";
  if (now < failure->place.retry_at) text += "; next try in " + span(now, failure->place.retry_at);
  return text;
}

const RetryTable::Failure* RetryTable::find(const SourceId& source) const {
  const auto failure = failures_.find(source);
  return failure == failures_.end() ? nullptr : &failure->second;
}

void RetryTable::forget(Failures::iterator failure) {
  order_.erase(failure->second.place);
  failures_.erase(failure);
}

}  // namespace tiercache
