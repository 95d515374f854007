// Finds out when the disk stands still, by doing the same small thing over and over.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache::testing {

// Beats from construction to destruction, in a thread of its own; `*beats` are the times at which
// each was over. The pauses between them are as long as the disk, or the process, stood still.
class Heartbeat {
 public:
  // `beat` takes no time to speak of unless the disk stands still.
  Heartbeat(std::function<void()> beat, std::vector<std::int64_t>* beats);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void run();

  const std::function<void()> beat_;
  std::vector<std::int64_t>& beats_;  // of the thread alone until it ends
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;  // guarded by `mutex_`
  std::thread thread_;
};

// Puts a new file in the place of the last one and syncs it, as the cache does with its entries and
// its journal.
std::function<void()> beat_on(std::shared_ptr<FileSystem> disk, const std::string& path);

}  // namespace tiercache::testing
