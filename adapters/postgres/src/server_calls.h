// Calls of the store: each on a thread of the adapter, left by its caller at its deadline, and
// whatever ends it told as the reply's status.
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

// When a call that nobody waits for is made.
struct Later {
  SteadyTime when;                    // from then on, by the machine's clock
  std::chrono::milliseconds longest;  // it is ended so long after `when`
  Effect effect;
  std::function<void()> begins = {};  // on the worker, before the server is asked
};

// Thread-safe.
class ServerCalls {
 public:
  explicit ServerCalls(Options options);

  const Options& options() const { return server_->options(); }
  const ServerAddress& address() const { return server_->address(); }
  std::string description() const { return server_->description(); }

  // Waits for `fill(session, reply)` until `deadline`, by the clock of the options. It owns what it
  // needs: the caller may be gone while it runs.
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

  void serve_later(Later later, Work work);

 private:
  StoreReply run(const std::string& project, SteadyTime deadline, Effect effect, Work work);

  const std::shared_ptr<Server> server_;
  Workers workers_;
};

}  // namespace tiercache::postgres
