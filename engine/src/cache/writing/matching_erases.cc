#include "cache/writing/matching_erases.h"

#include <algorithm>
#include <cstddef>

#include "base/glob.h"

namespace tiercache::detail {

bool MatchingErases::Erase::has(const EntryId& id) const {
  return glob.dataset == id.dataset && glob_matches(glob.key, id.key);
}

void MatchingErases::end(Version version) {
  Lock lock(mutex_);
  std::erase_if(under_way_, [&](const Erase& erase) { return erase.version == version; });
}

Version MatchingErases::under_way(const EntryId& id, Version below) const {
  Version newest;
  Lock lock(mutex_);
  for (const Erase& erase : under_way_) {
    if (erase.version < below && erase.version > newest && erase.has(id)) newest = erase.version;
  }
  return newest;
}

void MatchingErases::remember(const EntryId& glob, Version version) {
  constexpr std::size_t kRemembered = 1'000;
  Lock lock(mutex_);
  lately_.push_back({glob, version});
  if (lately_.size() <= kRemembered) return;
  longer_ago_ = std::max(longer_ago_, lately_.front().version);
  lately_.pop_front();
}

bool MatchingErases::erased_since(const EntryId& id, Version begun) const {
  Lock lock(mutex_);
  if (longer_ago_ > begun) return true;
  return std::ranges::any_of(
      lately_, [&](const Erase& erase) { return erase.version > begun && erase.has(id); });
}

}  // namespace tiercache::detail
