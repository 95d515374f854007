#include "history/heartbeat.h"

#include <utility>

#include "history/setup.h"
#include "tiercache/clock.h"

namespace tiercache::testing {

Heartbeat::Heartbeat(std::function<void()> beat, std::vector<std::int64_t>* beats)
    : beat_(std::move(beat)), beats_(*beats), thread_([this] { run(); }) {}

Heartbeat::~Heartbeat() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void Heartbeat::run() {
  for (bool last = false; !last;) {
    beat_();
    beats_.push_back(system_clock()->steady_now().time_since_epoch().count());
    std::unique_lock lock(mutex_);
    last = stopping_.wait_for(lock, kBeatEvery, [this] { return stopped_; });
  }
}

std::function<void()> beat_on(std::shared_ptr<FileSystem> disk, const std::string& path) {
  return [disk = std::move(disk), path] {
    disk->write_file(path + ".next", "beat");
    disk->rename(path + ".next", path);
    disk->sync_file(path);
  };
}

}  // namespace tiercache::testing
