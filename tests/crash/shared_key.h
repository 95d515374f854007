// The oracle of a key that several processes write at once: exact about versions, not about order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crash/events.h"
#include "oracle/key_history.h"

namespace tiercache::testing {

// Not thread-safe.
class SharedKey {
 public:
  explicit SharedKey(std::string key) : key_(std::move(key)) {}

  // An event of this key from the process of this life. The verdict when a thread was served
  // something older than it knew before.
  std::optional<Verdict> tell(const Event& event, std::uint64_t life);
  // With no process running: what the directory or the store holds. Nothing acknowledged is older
  // than it.
  std::optional<Verdict> judge(const Answer& answer) const;

 private:
  std::string key_;
  std::map<std::uint64_t, bool> begun_;            // by number: it is an erase
  std::set<std::uint64_t> refreshed_;              // numbers of what the source brought
  std::map<std::uint64_t, Version> acknowledged_;  // by number
  std::map<std::pair<std::uint64_t, int>, Version> newest_seen_;  // by life and thread
  std::optional<std::pair<Version, bool>> newest_;  // acknowledged: its version; it is an erase
  bool open_erase_ = false;                         // since then
};

}  // namespace tiercache::testing
