#include "server_calls.h"

#include <algorithm>

#include "text.h"
#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

// Returns the same instant by the machine's clock, by which threads wait.
SteadyTime by_machine(SteadyTime deadline, SteadyTime now) {
  constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
  if (deadline == kNever) return kNever;
  return system_clock()->steady_now() + std::min(deadline - now, kLongest);
}

StoreReply unavailable(std::string message) {
  return failed<StoreReply>(StoreStatus::unavailable, std::move(message));
}

}  // namespace

ServerCalls::ServerCalls(Options options)
    : server_(std::make_shared<Server>(std::move(options))),
      workers_(server_->options().connections) {}

StoreReply ServerCalls::run(const std::string& project, SteadyTime deadline, Effect effect,
                            Work work) {
  const SteadyTime now = options().clock->steady_now();
  if (now >= deadline) {
    return unavailable(description() + ": the deadline passed before the server was asked");
  }
  if (has_nul(project)) return unavailable("the project's name holds a NUL byte");
  struct Job {
    Call call;
    StoreReply ended;
  };
  const auto job = std::make_shared<Job>();
  const std::shared_ptr<Call> call(job, &job->call);
  const Call::Left left = workers_.run(
      call,
      [server = server_, job, deadline, effect, work = std::move(work)] {
        job->ended = server->answer(job->call, deadline, effect, work);
        job->call.finish();
      },
      by_machine(deadline, now));
  if (left == Call::Left::finished) return std::move(job->ended);
  const bool in_doubt = left == Call::Left::in_doubt && effect == Effect::writes;
  return failed<StoreReply>(in_doubt ? StoreStatus::unknown : StoreStatus::unavailable,
                            description() + ": no answer by the deadline");
}

void ServerCalls::serve_later(Later later, Work work) {
  const auto call = std::make_shared<Call>();
  const SteadyTime deadline = options().clock->steady_now() + later.longest;
  const SteadyTime when = later.when;
  const SteadyTime given_up = when + later.longest;
  workers_.run_later(
      when, call,
      [server = server_, call, deadline, later = std::move(later), work = std::move(work)] {
        if (later.begins) later.begins();
        server->answer(*call, deadline, later.effect, work);
        call->finish();
      },
      given_up);
}

}  // namespace tiercache::postgres
