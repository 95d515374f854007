// Hints of changes between machines, by LISTEN and NOTIFY on a channel for each project.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server_address.h"
#include "tiercache/executor.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::postgres {

// Returns the name of the project's channel. It does not give the project's name away, because any
// role of the database may listen.
std::string channel_of(const std::string& project);

// Decides when a project's notifications are sent: the first after a quiet time at once, and then
// one every `kGap` for everything that has changed meanwhile. Thread-safe.
class NotifyPace {
 public:
  static constexpr std::chrono::milliseconds kGap{50};

  // Returns when to send a notification of a change made now; nullopt if one is still to be sent
  // anyway, which covers this change too.
  std::optional<SteadyTime> changed(const std::string& channel, SteadyTime now);
  // Tells that the notification is being sent: changes from now on need another one.
  void sending(const std::string& channel, SteadyTime now);

 private:
  struct Channel {
    SteadyTime sent{};
    bool waiting = false;
  };
  std::mutex mutex_;
  std::map<std::string, Channel> channels_;  // guarded by `mutex_`
};

// Sends a notification over another connection than the one that listens. Returns nullopt if it was
// sent by the deadline, or why it was not.
using Notify = std::function<std::optional<std::string>(const std::string& channel,
                                                        const std::string& payload, SteadyTime)>;

// A thread with a connection that listens. Whether hints can come is checked by sending a
// notification over another connection and hearing it on this one, at first and whenever nothing
// was heard for `check_every`. So it is noticed if the connection has died silently, or if a pooler
// passes no notifications on. Thread-safe.
class Listener final : public ChangeWatch {
 public:
  // `hint` is called on the listener's thread, for each notification of a change and whenever the
  // state changes.
  Listener(const ServerAddress& server, const std::string& project,
           std::chrono::milliseconds connect_timeout, std::chrono::milliseconds check_every,
           Notify notify, std::function<void()> hint);
  ~Listener() override;

  HintState state() const override;

 private:
  class Loop;
  const std::shared_ptr<Executor> executor_;
  const std::shared_ptr<Loop> loop_;
};

}  // namespace tiercache::postgres
