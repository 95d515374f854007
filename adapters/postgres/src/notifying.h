// Telling those who listen (hints.h) that a project's rows have changed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "hints.h"
#include "server_calls.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// Whether a save may have given the change feed something to tell.
bool may_have_changed(const SaveReply& reply, std::span<const StoreWrite> writes);

// Thread-safe. `calls` must outlive it.
class Notifying {
 public:
  explicit Notifying(ServerCalls& calls) : calls_(calls) {}

  // Nobody waits for it: a commit that notifies holds a lock which all such commits of all
  // databases share, while it is synced. One that does nothing else is not.
  void tell_listeners(const std::string& project);

  // As `Notify` in hints.h; the deadline is by the machine's clock, as a listener waits.
  std::optional<std::string> send(const std::string& channel, const std::string& payload,
                                  SteadyTime deadline);

 private:
  ServerCalls& calls_;
  const std::shared_ptr<NotifyPace> pace_ = std::make_shared<NotifyPace>();
};

}  // namespace tiercache::postgres
