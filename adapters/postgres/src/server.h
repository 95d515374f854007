// The server as the worker threads use it: each call gets a pooled connection whose schema is known
// to fit.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "call.h"
#include "connection_pool.h"
#include "session.h"
#include "tiercache/postgres.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Whether a call changes rows. One that does, and that broke off, may have done so.
enum class Effect { reads, writes };

// What a call does on the server. It may be run twice, and must then begin its reply anew.
using Work = std::function<void(Session&)>;

// Returns a reply without items.
template <class Reply>
Reply failed(StoreStatus status, std::string message) {
  Reply reply;
  reply.status = status;
  reply.message = std::move(message);
  return reply;
}

// Thread-safe. It may outlive the store, for as long as a resolver hangs.
class Server {
 public:
  explicit Server(Options options) : options_(std::move(options)), pool_(options_) {}

  const Options& options() const { return options_; }
  const ServerAddress& address() const { return pool_.server(); }
  std::string description() const { return "postgres " + address().description(); }

  // Runs the work on a connection and returns how that ended; what is thrown becomes the status.
  StoreReply answer(Call& call, SteadyTime deadline, Effect effect, const Work& work);

 private:
  // Runs the work. If a read meets a connection that died while it was idle, it is tried once more.
  // Throws Failure.
  void perform(Call& call, SteadyTime deadline, Effect effect, const Work& work);
  void use(ConnectionPool::Lease& lease, Call& call, SteadyTime deadline, const Work& work);

  const Options options_;
  ConnectionPool pool_;
};

}  // namespace tiercache::postgres
