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

// Any role of the database may listen, so a channel's name does not tell the project's.
std::string channel_of(const std::string& project);

// How often a project's notifications are sent: at once after a quiet time, then one for all that
// changed in a while. Thread-safe.
class NotifyPace {
 public:
  static constexpr std::chrono::milliseconds kGap{50};

  // When to send one for a change of now; nullopt: one that is still to be sent tells it too.
  std::optional<SteadyTime> changed(const std::string& channel, SteadyTime now);
  // It is being sent; what changes from here on wants another.
  void sending(const std::string& channel, SteadyTime now);

 private:
  struct Channel {
    SteadyTime sent{};
    bool waiting = false;
  };
  std::mutex mutex_;
  std::map<std::string, Channel> channels_;  // guarded by `mutex_`
};

// Sends a notification by another connection than the one that listens. What was said where it was
// not sent by the deadline; nullopt: it was.
using Notify = std::function<std::optional<std::string>(const std::string& channel,
                                                        const std::string& payload, SteadyTime)>;

// A thread with a connection that listens. A connection proves itself by hearing what is sent on
// another one: at first and whenever nothing was heard for `check_every`. So neither one that died
// without a word nor a pooler that lets nothing through goes unnoticed.
class Listener final : public ChangeWatch {
 public:
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
