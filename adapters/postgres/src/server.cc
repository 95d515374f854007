#include "server.h"

#include <exception>

#include "failure.h"
#include "schema.h"

namespace tiercache::postgres {

StoreReply Server::answer(Call& call, SteadyTime deadline, Effect effect, const Work& work) {
  const StoreStatus doubtful =
      effect == Effect::writes ? StoreStatus::unknown : StoreStatus::unavailable;
  try {
    perform(call, deadline, effect, work);
    return {};
  } catch (const Failure& failure) {
    const bool in_doubt = failure.kind() == Failure::Kind::in_doubt;
    return failed<StoreReply>(in_doubt ? doubtful : StoreStatus::unavailable, failure.what());
  } catch (const std::exception& error) {
    return failed<StoreReply>(doubtful, description() + ": " + address().redacted(error.what()));
  }
}

void Server::perform(Call& call, SteadyTime deadline, Effect effect, const Work& work) {
  for (bool again = true;;) {
    ConnectionPool::Lease lease = pool_.acquire();
    try {
      use(lease, call, deadline, work);
      return;
    } catch (const Failure& failure) {
      if (!failure.ends_connection()) throw;
      pool_.forget_idle();
      again = again && lease.reused() && effect == Effect::reads &&
              failure.kind() == Failure::Kind::in_doubt;
      if (!again) throw;
      again = false;
    }
  }
}

void Server::use(ConnectionPool::Lease& lease, Call& call, SteadyTime deadline, const Work& work) {
  call.begin(lease->socket());
  try {
    if (!lease->has_schema()) use_schema(*lease, options_.apply_migrations);
    Session session(*lease, call, *options_.clock, deadline);
    work(session);
  } catch (const Failure& failure) {
    if (!call.end() || failure.ends_connection()) lease.broke();
    throw;
  } catch (...) {
    call.end();
    lease.broke();
    throw;
  }
  if (!call.end()) lease.broke();
}

}  // namespace tiercache::postgres
