// One call of the store. The caller's thread asks for it, a thread of the adapter does it, and the
// caller leaves at its deadline, whatever the server, the network or a resolver does.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "failure.h"
#include "tiercache/executor.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// What the two threads know of each other. Thread-safe.
class Call {
 public:
  // --- The worker's side ---

  // Tells the call's socket: from here until `end` the caller may shut it down. Throws Failure if
  // the caller has left.
  void begin(int socket);
  // To be called right before a statement is sent. Throws Failure if the caller has left.
  void about_to_send();
  // Takes the socket back. Returns false if it was shut down meanwhile.
  bool end();
  // Tells that the result is there.
  void finish();

  // --- The caller's side ---

  enum class Left {
    finished,  // the result is there after all
    unsent,    // nothing was sent, and nothing will be
    in_doubt,  // a statement was sent
  };
  // Leaves the call. Its socket is shut down, so that the worker stops waiting too.
  Left leave();

 private:
  std::mutex mutex_;
  // All below are guarded by `mutex_`.
  int socket_ = -1;
  bool sent_ = false;
  bool left_ = false;
  bool finished_ = false;
  bool shut_down_ = false;
};

// The adapter's threads: one for each connection it may have. Thread-safe.
class Workers {
 public:
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `work` on a thread and waits for it until `deadline`, by the machine's clock. `work` must
  // own what it uses, because a thread in a resolver that hangs is left behind.
  Call::Left run(const std::shared_ptr<Call>& call, std::function<void()> work,
                 SteadyTime deadline);
  // The same from `when` on, without waiting.
  void run_later(SteadyTime when, const std::shared_ptr<Call>& call, std::function<void()> work,
                 SteadyTime deadline);

 private:
  struct Waiting;
  const std::shared_ptr<Executor> executor_;
  const std::shared_ptr<Waiting> waiting_;
};

}  // namespace tiercache::postgres
