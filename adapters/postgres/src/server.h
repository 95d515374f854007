// The server as the workers' threads use it: a pooled connection, whose schema is known to fit, in
// the hands of one call.
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

// Whether a call changes rows: then one that broke off may have done so.
enum class Effect { reads, writes };

// What a call does on the server. It may be run twice, so it begins its reply anew.
using Work = std::function<void(Session&)>;

// A reply without items.
template <class Reply>
Reply failed(StoreStatus status, std::string message) {
  Reply reply;
  reply.status = status;
  reply.message = std::move(message);
  return reply;
}

// Thread-safe. May outlive the store by the time that a resolver hangs.
class Server {
 public:
  explicit Server(Options options) : options_(std::move(options)), pool_(options_) {}

  const Options& options() const { return options_; }
  const ServerAddress& address() const { return pool_.server(); }
  std::string description() const { return "postgres " + address().description(); }

  // Runs the work on a connection, and tells how that ended: what is thrown becomes the status.
  StoreReply answer(Call& call, SteadyTime deadline, Effect effect, const Work& work);

 private:
  // A read that meets a connection which died while idle has another try. Throws Failure.
  void perform(Call& call, SteadyTime deadline, Effect effect, const Work& work);
  void use(ConnectionPool::Lease& lease, Call& call, SteadyTime deadline, const Work& work);

  const Options options_;
  ConnectionPool pool_;
};

}  // namespace tiercache::postgres
