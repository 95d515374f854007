// The change feed is purged once in a while by each store that reads it.
#pragma once

#include <atomic>

#include "server_calls.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// Thread-safe. `calls` must outlive it.
class FeedPurging {
 public:
  explicit FeedPurging(ServerCalls& calls) : calls_(calls) {}

  // After the feed was read: one caller an hour starts a purge, and nobody waits for it.
  void feed_was_read();

 private:
  ServerCalls& calls_;
  std::atomic<SteadyTime::rep> next_{0};  // by the clock of the options
};

}  // namespace tiercache::postgres
