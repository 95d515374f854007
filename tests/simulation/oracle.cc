#include "simulation/oracle.h"

#include <algorithm>
#include <utility>

namespace tiercache::testing {

void Mark::raise_to(const Mark& other) {
  if (other.floor.is_zero()) return;
  const bool here = local || other.local;
  if (other.floor > floor) *this = other;
  local = here;
}

Mark Oracle::in_directory(const Key& key) {
  Mark newest = key.directory;
  for (const Mark& mark : key.written) newest.raise_to(mark);
  return newest;
}

// --- Writes ---

Begun Oracle::attempted(const std::string& key, const std::string& document,
                        const std::string& metadata) {
  Key& known = keys_[key];
  known.documents[document] = {metadata, ++begun_};
  return {.order = begun_, .over = in_directory(known)};
}

Begun Oracle::attempted_erase(const std::string& key) {
  Key& known = keys_[key];
  known.erase_tried = ++begun_;
  return {.order = begun_, .over = in_directory(known)};
}

// An erased entry counts as none for those who compare.
bool Oracle::compared_rightly(const Key& key, const Begun& begun, Version compared) {
  const bool erased = begun.over.erased || key.erased_elsewhere > begun.over.floor;
  return begun.over.floor <= compared || (erased && compared.is_zero());
}

void Oracle::forget_above(Key& key, const Mark& mark) {
  const auto forget = [&](Mark& one) {
    if (one.floor <= mark.floor) return;
    if (one.erased) key.erased_elsewhere = std::max(key.erased_elsewhere, one.floor);
    one = {};
  };
  for (auto* marks : {&key.seen_by, &key.written}) {
    for (Mark& one : *marks) forget(one);
  }
  forget(key.directory);
}

std::optional<std::string> Oracle::acknowledged(std::size_t process, const std::string& key,
                                                const Begun& begun, const Acknowledged& what) {
  Key& known = keys_[key];
  known.store_only = known.store_only || !what.journaled;
  if (what.compared) {
    // The store may have what this directory has not heard of, and refuse what was compared here.
    if (known.store_only || known.wiped || evicted_) return std::nullopt;
    if (!compared_rightly(known, begun, *what.compared)) {
      return "compared with " + what.compared->to_string() + ", it took the place of " +
             begun.over.floor.to_string();
    }
  }
  const Mark mark{.floor = what.version,
                  .erased = what.erased,
                  .matching = what.matching,
                  .compared = what.compared.has_value(),
                  .began = begun.order,
                  .told = ++begun_};
  if (what.version <= begun.over.floor) {
    const bool unknown = begun.over.matching || was_given_up(key, begun.over);
    if (!unknown || !clock_may_go_back_) {
      return "stamped " + what.version.to_string() + ", not above the acknowledged " +
             begun.over.floor.to_string();
    }
    forget_above(known, mark);
  }
  if (what.matching) known.matching_erase = what.version;
  // The directory does not hold it against what a clock that was set back stamps lower.
  if (what.erased && !what.journaled) {
    known.erased_elsewhere = std::max(known.erased_elsewhere, what.version);
  }
  known.seen_by[process].raise_to(mark);
  if (what.journaled) {
    known.written[process].raise_to(mark);
    known.wiped = false;
  }
  return std::nullopt;
}

void Oracle::refused(const std::string& key, const std::string& document) {
  keys_[key].documents.erase(document);
}

void Oracle::wrote_elsewhere(const std::string& key, Version version,
                             const std::optional<std::string>& document) {
  Key& known = keys_[key];
  known.in_store = std::max(known.in_store, version);
  if (document) {
    known.documents[*document] = {"{}", ++begun_};
  } else {
    known.erased_elsewhere = std::max(known.erased_elsewhere, version);
  }
}

void Oracle::lost_in_store(const std::string& key) {
  Key& known = keys_[key];
  known.dropped = true;
  known.erase_tried = ++begun_;
}

// --- Processes ---

void Oracle::opened(std::size_t process, Beside beside) {
  for (auto& [name, known] : keys_) {
    const bool untold = beside == Beside::others && known.directory.matching;
    known.seen_by[process] = untold ? Mark{} : known.directory;
  }
}

void Oracle::died(std::size_t process) {
  filed(process, now());
  for (auto& [name, known] : keys_) known.seen_by[process] = known.written[process] = {};
}

void Oracle::filed(std::size_t process, std::uint64_t then) {
  for (auto& [name, known] : keys_) {
    const Mark& written = known.written[process];
    if (written.told <= then) known.directory.raise_to(written);
  }
}

std::uint64_t Oracle::adopted(std::size_t process) {
  std::uint64_t news = 0;
  for (auto& [name, known] : keys_) {
    // Of a key without a file an erase by pattern tells nobody but who has its journal, until the
    // store has it.
    if (evicted_ && known.directory.matching) continue;
    Mark& mark = known.seen_by[process];
    if (known.directory.floor > mark.floor) ++news;
    mark.raise_to(known.directory);
  }
  return news;
}

void Oracle::wiped() {
  for (auto& [name, known] : keys_) {
    // Versions of a clock that was ahead are known to the store alone from now on.
    if (clock_may_go_back_) {
      const Mark gone = std::exchange(known.directory, {});
      if (!gone.matching) known.in_store = std::max(known.in_store, gone.floor);
      if (gone.erased) known.erased_elsewhere = std::max(known.erased_elsewhere, gone.floor);
    }
    known.directory.local = false;
    known.wiped = true;
    known.seen_by = known.written = {};
  }
}

// --- Reads ---

Version Oracle::newest_matching_erase(const std::string& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? Version{} : found->second.matching_erase;
}

bool Oracle::was_given_up(const std::string& name, const Mark& mark) const {
  if (!row_ || disk_failed_ <= mark.began) return false;
  const Version row = row_(name);
  return row > mark.floor || (mark.compared && !row.is_zero() && row != mark.floor);
}

bool Oracle::may_be_missing(const std::string& name, const Key& key, const Mark& mark) const {
  if (was_given_up(name, mark)) return true;
  if (evicted_ && row_(name) >= mark.floor) return true;
  return mark.floor.is_zero() || mark.erased || !mark.local || key.erase_tried > mark.began ||
         key.erased_elsewhere > mark.floor;
}

Version Oracle::floor(std::size_t process, const std::string& key) {
  return keys_[key].seen_by[process].floor;
}

std::optional<std::string> Oracle::check(std::size_t process, const std::string& key,
                                         const Snapshot<JsonText>& snapshot, Version floor) {
  Key& known = keys_[key];
  Mark& mark = known.seen_by[process];
  if (!snapshot.has_value()) {
    if (may_be_missing(key, known, mark)) return std::nullopt;
    return "acknowledged " + mark.floor.to_string() +
           " is missing: " + snapshot.passage().to_string();
  }
  const std::string version = snapshot.version().to_string();
  const auto document = known.documents.find(*snapshot);
  if (document == known.documents.end()) return "nobody wrote these bytes: " + *snapshot;
  if (document->second.metadata != snapshot.metadata()) {
    return "metadata " + std::string(snapshot.metadata()) + " came with " + *snapshot + ", not " +
           document->second.metadata;
  }
  if (snapshot.tier() == Tier::files) mark.local = known.directory.local = true;
  const bool traceless = mark.matching || was_given_up(key, mark);
  const bool may_be_below = traceless && clock_may_go_back_;
  if (may_be_below && document->second.began > mark.began) return std::nullopt;
  floor = std::min(floor, mark.floor);  // it may have been forgotten meanwhile
  if (snapshot.version() < floor) return "older " + version + " served over " + floor.to_string();
  if (mark.erased && snapshot.version() <= mark.floor && floor == mark.floor) {
    return "erased entry is back as " + version;
  }
  return std::nullopt;
}

}  // namespace tiercache::testing
