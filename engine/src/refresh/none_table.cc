#include "refresh/none_table.h"

#include <algorithm>
#include <chrono>

#include "base/spoken.h"

namespace tiercache {

using std::chrono::milliseconds;

namespace {

// Keeps the sum of a time and a wait in range.
constexpr milliseconds kLongestHold = std::chrono::hours(24 * 365);

}  // namespace

void NoneTable::note(const SourceId& source, milliseconds hold_for, SteadyTime now) {
  forget(source);
  if (hold_for <= milliseconds(0)) return;
  if (nones_.size() >= capacity_) make_room(now);
  nones_.insert_or_assign(source, None{now, now + std::min(hold_for, kLongestHold)});
}

std::optional<std::string> NoneTable::said(const SourceId& source, SteadyTime now) const {
  const None* none = find(source, now);
  if (none == nullptr) return std::nullopt;
  const auto span = [](SteadyTime from, SteadyTime to) {
    return spoken(std::chrono::ceil<milliseconds>(to - from));
  };
  return span(none->said_at, now) + " ago the source said that it has none; it is asked again in " +
         span(now, none->until);
}

const NoneTable::None* NoneTable::find(const SourceId& source, SteadyTime now) const {
  const auto none = nones_.find(source);
  return none == nones_.end() || none->second.until <= now ? nullptr : &none->second;
}

void NoneTable::make_room(SteadyTime now) {
  std::erase_if(nones_, [now](const auto& none) { return none.second.until <= now; });
  if (nones_.size() < capacity_ || nones_.empty()) return;
  nones_.erase(std::min_element(nones_.begin(), nones_.end(), [](const auto& a, const auto& b) {
    return a.second.until < b.second.until;
  }));
}

}  // namespace tiercache
