// One worker process, as the driver sees it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "crash/events.h"
#include "tiercache/time.h"

namespace tiercache::testing {

class WorkerProcess {
 public:
  struct Start {
    std::string program;
    std::string directory;
    std::string store;
    int worker = 0;
    std::uint64_t life = 0;
    std::uint64_t seed = 0;
    bool soak = false;
  };
  // The status of one whose program cannot be run.
  static constexpr int kNotStarted = 127;

  // Throws when no process can be made.
  explicit WorkerProcess(const Start& start);
  // Kills it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int pipe() const { return pipe_; }
  const std::string& program() const { return start_.program; }
  int worker() const { return start_.worker; }
  std::uint64_t life() const { return start_.life; }
  // What it has told since the last call. Blocks while there is nothing; `*ended` once there will
  // never be more.
  std::vector<Event> take_events(bool* ended);
  void send(int signal) const;
  // Waits for its end and returns its status as waitpid does.
  int wait();

 private:
  Start start_;
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string unread_;
};

}  // namespace tiercache::testing
