// Knows, outside of all processes, what was attempted and acknowledged.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "crash/events.h"
#include "crash/shared_key.h"
#include "oracle/key_history.h"

namespace tiercache::testing {

// Not thread-safe.
class Oracle {
 public:
  Oracle();

  // An event from the process of this life, in the order it was told.
  void tell(const Event& event, std::uint64_t life);
  // Compares what a tier holds of every key. `where` is for a person.
  void judge(const std::string& where, const std::function<Answer(const std::string& key)>& look);
  // Something else that must not be.
  void broken(const Verdict& verdict, const std::string& where);

  const std::vector<std::string>& keys() const { return keys_; }
  std::uint64_t count(Broken broken) const;
  std::uint64_t violations() const;
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t reads() const { return reads_; }

 private:
  void tell_own(KeyHistory& history, const Event& event, const std::string& where);
  void remember(const Event& event, std::uint64_t life);
  void broken_at(const std::string& key, const Verdict& verdict, const std::string& where);

  std::vector<std::string> keys_;
  std::map<std::string, KeyHistory> own_;
  std::map<std::string, SharedKey> shared_;
  std::set<std::uint64_t> refreshed_;  // numbers of documents that came from the source
  std::map<std::string, std::deque<std::string>> recent_;  // events by key, for a person
  std::map<Broken, std::uint64_t> counts_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace tiercache::testing
