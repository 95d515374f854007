// The datasets that are open.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cache/runtime/dataset_state.h"
#include "tiercache/clock.h"

namespace tiercache::detail {

// None is ever closed: what `open` and `find` return lives as long as this. Thread-safe.
class Datasets {
 public:
  // `log` and `clock` must outlive it.
  Datasets(std::chrono::milliseconds memory_ttl, Log& log, const Clock& clock)
      : memory_ttl_(memory_ttl), log_(log), clock_(clock) {}

  struct Opened {
    DatasetState& dataset;
    bool first;  // false: it was open, with whatever policy it had then
  };
  Opened open(const std::string& name, DatasetPolicy policy);
  // Null when no dataset of that name is open.
  DatasetState* find(const std::string& name) const;
  std::vector<std::string> names() const;
  // Calls `visit` for each, in the order of their names, under the lock: `visit` must call nothing
  // of this class, or it waits for itself for ever, and must not block.
  void for_each(const std::function<void(DatasetState&)>& visit) const;

 private:
  const std::chrono::milliseconds memory_ttl_;
  Log& log_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<DatasetState>, std::less<>> datasets_
      TIERCACHE_GUARDED_BY(mutex_);
  std::set<std::uint32_t> numbers_ TIERCACHE_GUARDED_BY(mutex_);  // that they have
};

}  // namespace tiercache::detail
