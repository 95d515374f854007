// What an outside observer may expect of one key, whatever crashed in between.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "tiercache/tiercache.h"

namespace tiercache::testing {

// Per key: the newest version that was acknowledged or seen, and whether it was an erase. A read
// may never show less (I1, I3), a tombstone's predecessor never comes back (I4), and content is
// always one that somebody wrote (I2).
class Oracle {
 public:
  void attempted(const std::string& key, const std::string& document) {
    keys_[key].written.insert(document);
  }
  // `journaled` as the receipt says: what only the store took may be shown late after a crash.
  void acknowledged(const std::string& key, Version version, bool journaled) {
    keys_[key].store_only = keys_[key].store_only || !journaled;
    raise(key, version, false, journaled);
  }
  void erased(const std::string& key, Version version, bool journaled) {
    keys_[key].store_only = keys_[key].store_only || !journaled;
    raise(key, version, true, journaled);
  }
  // What was only seen, or only in the store, is not promised by the disk.
  void crashed() {
    for (auto& [key, known] : keys_) {
      known.floor = known.durable_floor;
      known.erased = known.durably_erased;
      known.may_be_erased = known.durably_may_be_erased;
      known.local = known.durably_local;
    }
  }
  void attempted_erase(const std::string& key) {
    keys_[key].may_be_erased = keys_[key].durably_may_be_erased = true;
  }

  // The store may have taken something that failed here.
  void in_doubt(const std::string& key) { keys_[key].store_only = true; }
  // The directory was wiped: until they are seen again, entries may be missing where the store is
  // not asked or away.
  void wiped() {
    for (auto& [key, known] : keys_) known.local = known.durably_local = false;
  }

  // Nullopt, or what is wrong with this answer. `floor` is what the key's floor was when the read
  // began.
  std::optional<std::string> check(const std::string& key, const Snapshot<JsonText>& snapshot,
                                   Version floor) {
    Key& known = keys_[key];
    if (!snapshot.has_value()) {
      const bool allowed =
          known.floor.is_zero() || known.erased || known.may_be_erased || !known.local;
      if (allowed) return std::nullopt;
      return "acknowledged " + known.floor.to_string() +
             " is missing: " + snapshot.passage().to_string();
    }
    if (snapshot.version() < floor) {
      return "older " + snapshot.version().to_string() + " served over " + floor.to_string();
    }
    if (known.erased && snapshot.version() <= known.floor && floor == known.floor) {
      return "erased entry is back as " + snapshot.version().to_string();
    }
    if (known.written.count(*snapshot) == 0) return "nobody wrote these bytes: " + *snapshot;
    if (snapshot.tier() == Tier::files) known.local = known.durably_local = true;
    return std::nullopt;
  }
  Version floor(const std::string& key) { return keys_[key].floor; }
  const auto& keys() const { return keys_; }

 private:
  struct Key {
    Version floor;
    bool erased = false;
    bool store_only = false;  // the store may know a newer one that the disk refused
    bool local = true;        // the directory has it, or memory until a crash
    // What only the store took is in memory alone: after a crash in a wiped directory it may be
    // missing until the store is asked.
    bool durably_local = true;
    Version durable_floor;
    bool durably_erased = false;
    bool may_be_erased = false;  // an erase was begun and not acknowledged
    // The file may have the tombstone, and what only the store took after it be known to memory
    // alone.
    bool durably_may_be_erased = false;
    std::set<std::string> written;
  };
  void raise(const std::string& key, Version version, bool erased, bool journaled) {
    Key& known = keys_[key];
    if (journaled && version >= known.durable_floor) {
      known.durable_floor = version;
      known.durably_erased = erased;
      if (!erased) known.durably_may_be_erased = false;
    }
    known.durably_local = known.durably_local || journaled;
    if (version < known.floor) return;
    known.floor = version;
    known.erased = erased;
    known.local = true;
    if (!erased) known.may_be_erased = false;
  }
  std::map<std::string, Key> keys_;
};

}  // namespace tiercache::testing
