// Purges the change feed now and then. Each store that reads the feed does so.
#pragma once

#include <atomic>

#include "server_calls.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// Thread-safe. `calls` must outlive it.
class FeedPurging {
 public:
  explicit FeedPurging(ServerCalls& calls) : calls_(calls) {}

  // To be called after the feed was read. Once an hour this starts a purge, for which nobody waits.
  void feed_was_read();

 private:
  ServerCalls& calls_;
  std::atomic<SteadyTime::rep> next_{0};  // by the clock of the options
};

}  // namespace tiercache::postgres
