#include "cache/store/purge_horizon.h"

#include <algorithm>

namespace tiercache::detail {

PurgeReply PurgeHorizon::purge(const PurgeRequest& request, Breaker::Urgency urgency,
                               SteadyTime deadline) {
  PurgeReply reply = calls_.purge(request, deadline, urgency);
  if (reply.status != StoreStatus::ok) return reply;
  Lock lock(mutex_);
  if (reply.incarnation != incarnation_) horizon_ = {};
  incarnation_ = reply.incarnation;
  horizon_ = std::max(horizon_, reply.horizon);
  return reply;
}

PurgeReply PurgeHorizon::ask(Breaker::Urgency urgency, SteadyTime deadline) {
  PurgeRequest request;
  request.limit = 0;
  return purge(request, urgency, deadline);
}

bool PurgeHorizon::learn(Breaker::Urgency urgency, SteadyTime deadline) {
  return calls_.store()->has_purge() && ask(urgency, deadline).status == StoreStatus::ok;
}

Version PurgeHorizon::version() const {
  Lock lock(mutex_);
  return horizon_;
}

std::optional<Version> PurgeHorizon::deleted_up_to() const {
  if (!identity_.is_same()) return std::nullopt;
  return version();
}

}  // namespace tiercache::detail
