// Calls of the store. Each runs on a thread of the adapter, its caller leaves at the deadline, and
// however it ends becomes the reply's status.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "call.h"
#include "server.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// When and how a call is made that nobody waits for.
struct Later {
  SteadyTime when;                    // when it is made at the earliest, by the machine's clock
  std::chrono::milliseconds longest;  // how long after `when` it is given up
  Effect effect;
  std::function<void()> begins = {};  // called on the worker before the server is asked
};

// Thread-safe.
class ServerCalls {
 public:
  explicit ServerCalls(Options options);

  const Options& options() const { return server_->options(); }
  const ServerAddress& address() const { return server_->address(); }
  std::string description() const { return server_->description(); }

  // Runs `fill(session, reply)` and waits for it until `deadline`, by the clock of the options.
  // `fill` must own what it uses, because it may still run when the caller has left.
  template <class Reply, class Fill>
  Reply serve(const std::string& project, SteadyTime deadline, Effect effect, Fill fill) {
    const auto reply = std::make_shared<Reply>();
    StoreReply ended =
        run(project, deadline, effect, [reply, fill = std::move(fill)](Session& session) {
          *reply = Reply{};
          fill(session, *reply);
        });
    if (ended.status == StoreStatus::ok) return std::move(*reply);
    // The worker may still have `reply` in its hands.
    return failed<Reply>(ended.status, std::move(ended.message));
  }

  // Runs `work` later, without waiting. What it throws is ignored.
  void serve_later(Later later, Work work);

 private:
  StoreReply run(const std::string& project, SteadyTime deadline, Effect effect, Work work);

  const std::shared_ptr<Server> server_;
  Workers workers_;
};

}  // namespace tiercache::postgres
