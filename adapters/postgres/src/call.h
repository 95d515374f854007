// One call of the store: asked by the caller's thread, done by a thread of the adapter, and left by
// the caller at its deadline whatever the server, the network or a resolver does.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "failure.h"
#include "tiercache/executor.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// What the two threads agree on. Thread-safe.
class Call {
 public:
  // The worker's side.

  // From here until `end` the connection's socket may be shut down. Throws Failure when the caller
  // has left.
  void begin(int socket);
  // Right before a statement goes out; throws Failure when the caller has left.
  void about_to_send();
  // False when the socket was shut down meanwhile.
  bool end();
  // The result is there.
  void finish();

  // The caller's side.

  enum class Left {
    finished,  // the result is there after all
    unsent,    // nothing was sent, and nothing will be
    in_doubt,  // a statement went out
  };
  // Ends the call: its socket is shut down, so that the worker's wait ends too.
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
  // be able to outlive the caller: a thread in a resolver that hangs is left behind.
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
