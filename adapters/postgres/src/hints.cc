// The listener's thread keeps one connection and goes round in a circle:
//
//     listener                          server                    the store's other connections
//     connect, LISTEN  ------------>
//     ask for a proof  ------------------------------------------>  NOTIFY with a token
//     hears the token  <------------
//     state is live; waits          <------------  NOTIFY without payload, by whoever wrote
//     calls the hint
//     silent for check_every: asks for a proof again
//
// A token that does not come back within its time, or any other failure, ends the connection: the
// state becomes `lost`, and a new connection is made after a growing pause. If new connections fail
// their proof several times in a row, something in between swallows notifications, and the state is
// `unheard`: then it is tried only every few minutes.
#include "hints.h"

#include <algorithm>
#include <utility>

#include "call.h"
#include "connection.h"
#include "listening_connection.h"
#include "rows.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

constexpr std::chrono::milliseconds kLongestProof{5'000};
constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kLongestPause{60'000};
// After so many failed proofs in a row it is assumed that a pooler is in between, and that none
// will ever succeed.
constexpr int kUnheardAtMost = 3;
constexpr std::chrono::milliseconds kUnheardPause{600'000};

SteadyTime now() {
  return system_clock()->steady_now();
}

}  // namespace

std::string channel_of(const std::string& project) {
  return "tiercache_" + sha256_of(project).substr(0, 32);
}

std::optional<SteadyTime> NotifyPace::changed(const std::string& channel, SteadyTime time) {
  std::lock_guard lock(mutex_);
  Channel& one = channels_[channel];
  if (std::exchange(one.waiting, true)) return std::nullopt;
  return std::max(time, one.sent + kGap);
}

void NotifyPace::sending(const std::string& channel, SteadyTime time) {
  std::lock_guard lock(mutex_);
  channels_[channel] = {.sent = time, .waiting = false};
}

// What the listener and its thread share. The thread may outlive the listener, in a resolver that
// hangs.
class Listener::Loop {
 public:
  Loop(const ServerAddress& server, const std::string& project,
       std::chrono::milliseconds connect_timeout, std::chrono::milliseconds check_every,
       Notify notify, std::function<void()> hint, std::shared_ptr<Event> stopped)
      : server_(server),
        channel_(channel_of(project)),
        connect_timeout_(connect_timeout),
        check_every_(check_every),
        notify_(std::move(notify)),
        hint_(std::move(hint)),
        stopped_(std::move(stopped)) {}

  void run() {
    while (!is_stopped()) {
      try {
        listen();
      } catch (const std::exception& error) {
        if (!is_stopped()) became(lost(), error.what());
      }
      if (stopped_->wait_until(now() + pause())) return;
    }
  }

  void stop() {
    stopped_->set();
    std::lock_guard lock(mutex_);
    if (call_) call_->leave();
  }

  HintState state() const {
    std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  bool is_stopped() const { return stopped_->wait_until(SteadyTime{}); }

  void listen() {
    ListeningConnection connection(server_, channel_, now() + connect_timeout_);
    const OwnSocket socket(connection.socket());
    const auto call = std::make_shared<Call>();
    call->begin(socket.get());
    {
      std::lock_guard lock(mutex_);
      call_ = call;
    }
    try {
      while (!is_stopped()) {
        prove(connection);
        became(HintState::Kind::live, "");
        while (const auto payload = connection.next(now() + check_every_)) heard(*payload);
      }
    } catch (...) {
      call->end();
      throw;
    }
    call->end();
  }

  // Returns once a token sent over another connection was heard on this one. Throws Failure if it
  // was not heard in time.
  void prove(ListeningConnection& connection) {
    const std::string token = std::to_string(connection.process()) + "-" +
                              std::to_string(now().time_since_epoch().count());
    const SteadyTime deadline = now() + std::min(check_every_, kLongestProof);
    if (const auto why = notify_(channel_, token, deadline)) {
      throw Failure(Failure::Kind::not_serving, true, "no notification could be sent: " + *why);
    }
    while (const auto payload = connection.next(deadline)) {
      if (*payload == token) {
        unheard_ = failures_ = 0;
        return;
      }
      heard(*payload);
    }
    ++unheard_;
    throw Failure(Failure::Kind::not_serving, true,
                  "postgres " + server_.description() +
                      ": notifications do not come through: a pooler in transaction mode, or a "
                      "connection that died");
  }

  // A notification of a change has no payload; one with a payload is the proof of some listener.
  void heard(const std::string& payload) {
    if (payload.empty()) hint_();
  }

  // Counts a failure and returns the state that it leads to.
  HintState::Kind lost() {
    failures_ = std::min(failures_ + 1, 16);
    return unheard_ >= kUnheardAtMost ? HintState::Kind::unheard : HintState::Kind::lost;
  }

  // How long to wait before the next connection. It varies, because all machines come back after a
  // restart of the server.
  std::chrono::nanoseconds pause() const {
    const std::chrono::nanoseconds whole =
        unheard_ >= kUnheardAtMost ? kUnheardPause
                                   : std::min(kLongestPause, kFirstPause * (1 << failures_));
    return whole / 2 +
           std::chrono::nanoseconds(now().time_since_epoch().count() % whole.count()) / 2;
  }

  // A new state is also a hint, because changes may not have been heard meanwhile.
  void became(HintState::Kind kind, const std::string& why) {
    {
      std::lock_guard lock(mutex_);
      if (state_.kind == kind && state_.why == why) return;
      state_ = {.kind = kind, .why = why};
    }
    hint_();
  }

  const ServerAddress server_;
  const std::string channel_;
  const std::chrono::milliseconds connect_timeout_;
  const std::chrono::milliseconds check_every_;
  const Notify notify_;
  const std::function<void()> hint_;
  const std::shared_ptr<Event> stopped_;
  // Used by the thread only.
  int failures_ = 0;  // in a row
  int unheard_ = 0;   // proofs that failed in a row
  mutable std::mutex mutex_;
  // Guarded by `mutex_`.
  std::shared_ptr<Call> call_;
  HintState state_;
};

Listener::Listener(const ServerAddress& server, const std::string& project,
                   std::chrono::milliseconds connect_timeout, std::chrono::milliseconds check_every,
                   Notify notify, std::function<void()> hint)
    : executor_(thread_executor({.compute = 1, .disk = 1, .store = 1, .callback = 1})),
      loop_(std::make_shared<Loop>(server, project, connect_timeout, check_every, std::move(notify),
                                   std::move(hint), executor_->make_event())) {
  executor_->post(Lane::store, [loop = loop_] { loop->run(); });
}

Listener::~Listener() {
  loop_->stop();
  executor_->shutdown(now() + std::chrono::milliseconds(250));
}

HintState Listener::state() const {
  return loop_->state();
}

}  // namespace tiercache::postgres
