// Tells those who listen (hints.h) that a project's rows have changed.
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

// Whether a save may have added something to the change feed.
bool may_have_changed(const SaveReply& reply, std::span<const StoreWrite> writes);

// Thread-safe. `calls` must outlive it.
class Notifying {
 public:
  explicit Notifying(ServerCalls& calls) : calls_(calls) {}

  // Sends a notification soon, in a transaction of its own for which nobody waits. If the
  // transaction that writes sent it, it would hold a lock that all notifying commits of the server
  // share, for as long as the commit is synced. A transaction that only notifies is not synced.
  void tell_listeners(const std::string& project);

  // Does what `Notify` in hints.h says. The deadline is by the machine's clock, by which listeners
  // wait.
  std::optional<std::string> send(const std::string& channel, const std::string& payload,
                                  SteadyTime deadline);

 private:
  ServerCalls& calls_;
  const std::shared_ptr<NotifyPace> pace_ = std::make_shared<NotifyPace>();
};

}  // namespace tiercache::postgres
