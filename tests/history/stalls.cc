#include "history/stalls.h"

#include <algorithm>

#include "history/setup.h"

namespace tiercache::testing {

Stalls Stalls::of_beats(const std::vector<std::int64_t>& beats) {
  constexpr std::int64_t kLongest = std::chrono::nanoseconds(kStall).count();
  Stalls stalls;
  for (std::size_t i = 1; i < beats.size(); ++i) {
    if (beats[i] - beats[i - 1] >= kLongest) stalls.add(Span{beats[i - 1], beats[i]});
  }
  return stalls;
}

void Stalls::add(const Span& span) {
  spans_.push_back(span);
  std::sort(spans_.begin(), spans_.end(),
            [](const Span& a, const Span& b) { return a.began < b.began; });
  std::vector<Span> apart;
  for (const Span& next : spans_) {
    if (!apart.empty() && next.began <= apart.back().ended) {
      apart.back().ended = std::max(apart.back().ended, next.ended);
    } else {
      apart.push_back(next);
    }
  }
  spans_ = std::move(apart);
}

void Stalls::add(const Stalls& others) {
  for (const Span& span : others.spans_) add(span);
}

std::int64_t Stalls::between(std::int64_t began, std::int64_t ended) const {
  std::int64_t stalled = 0;
  for (const Span& span : spans_) {
    stalled += std::max<std::int64_t>(std::min(span.ended, ended) - std::max(span.began, began), 0);
  }
  return stalled;
}

std::int64_t Stalls::after(std::int64_t from, std::int64_t span) const {
  std::int64_t moment = from + span;
  for (const Span& stall : spans_) {
    if (stall.ended <= from) continue;
    if (stall.began >= moment) break;
    moment += stall.ended - std::max(stall.began, from);
  }
  return moment;
}

std::int64_t Stalls::before(std::int64_t until, std::int64_t span) const {
  std::int64_t moment = until - span;
  for (auto stall = spans_.rbegin(); stall != spans_.rend(); ++stall) {
    if (stall->began >= until) continue;
    if (stall->ended <= moment) break;
    moment -= std::min(stall->ended, until) - stall->began;
  }
  return moment;
}

std::int64_t Stalls::longest() const {
  std::int64_t longest = 0;
  for (const Span& span : spans_) longest = std::max(longest, span.ended - span.began);
  return longest;
}

}  // namespace tiercache::testing
