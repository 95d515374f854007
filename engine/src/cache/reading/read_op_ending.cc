// How a read ends: what it serves, what it says of each tier, what it leaves to be done behind it.
#include <utility>

#include "cache/reading/read_op.h"
#include "cache/runtime/judge.h"

namespace tiercache::detail {

namespace {

// What a passage says of one tier.
struct TierWord {
  TierAnswer* answer;
  std::string* why;
};

// `tier` is a tier, and not `none`.
TierWord word_in(Passage& passage, Tier tier) {
  switch (tier) {
    case Tier::memory:
      return {&passage.memory, &passage.memory_why};
    case Tier::files:
      return {&passage.files, &passage.files_why};
    case Tier::store:
      return {&passage.store, &passage.store_why};
    case Tier::none:
    case Tier::source:
      break;
  }
  return {&passage.source, &passage.source_why};
}

}  // namespace

bool ReadOp::is_good_enough() const {
  const Candidate now = candidate();
  if (!now.resident) return false;
  const Freshness freshness = freshness_at(now.lifetimes, runtime_.coarse_ticks());
  if (request_.behind) {
    const auto last_fetch = believable(now.resident->entry.clocks.last_fetch, runtime_.now().wall);
    return freshness == Freshness::fresh &&
           (!request_.fetched_after || (last_fetch && *last_fetch > *request_.fetched_after));
  }
  if (freshness == Freshness::fresh) return true;
  return can_serve() && dataset_.policy.options.soft_timeout.count() == 0;
}

bool ReadOp::can_serve() const {
  const Candidate now = candidate();
  return now.resident && is_servable(now.lifetimes, runtime_.coarse_ticks(), request_.max_stale);
}

ReadResult ReadOp::conclude() {
  return can_serve() ? serve(candidate()) : serve_nothing();
}

ReadResult ReadOp::serve(const Candidate& chosen) {
  const Ticks ticks = runtime_.coarse_ticks();
  ReadResult result;
  result.resident = chosen.resident;
  result.tier = chosen.tier;
  result.freshness = freshness_at(chosen.lifetimes, ticks);
  result.age = age_at(chosen.lifetimes, ticks);
  if (result.freshness != Freshness::fresh) explain_source(true);
  if (chosen.tier != Tier::memory || result.freshness != Freshness::fresh) {
    result.passage = std::make_shared<Passage>(passage());
  }
  return result;
}

ReadResult ReadOp::serve_nothing() {
  explain_source(false);
  ReadResult result;
  result.resident = dataset_.policy.fallback;
  result.passage = std::make_shared<Passage>(passage());
  return result;
}

bool ReadOp::asks_behind() const {
  return !request_.behind && request_.reach == Reach::source && asked() != Tier::source;
}

// Something stale was served, or nothing: the passage says why the source has not helped, unless
// the source has answered itself.
void ReadOp::explain_source(bool stale_served) {
  if (request_.behind || passage().source != TierAnswer::not_asked || !has_source()) return;
  SourceWord word = parts_.refreshes.why_not_newer(id_);
  const bool begins = stale_served && asks_behind() && runtime_.is_open();
  if (word.answer == TierAnswer::not_asked && begins) word.answer = TierAnswer::refreshing;
  answer(Tier::source, word.answer, word.why);
}

void ReadOp::count(const ReadResult& result) {
  if (request_.behind) return;
  DatasetCounters& counters = dataset_.counters;
  switch (result.tier) {
    case Tier::none:
      counters.misses.add();
      break;
    case Tier::memory:
      counters.memory_hits.add();
      break;
    case Tier::files:
      counters.file_hits.add();
      break;
    case Tier::store:
      counters.store_hits.add();
      break;
    case Tier::source:
      counters.source_hits.add();
      break;
  }
  if (result.tier != Tier::none && result.freshness != Freshness::fresh)
    counters.stale_served.add();
  if (result.tier != Tier::memory) counters.read_latency.add(runtime_.clock->steady_now() - began_);
}

void ReadOp::ended(const ReadResult& result) {
  count(result);
  const bool stale = result.tier != Tier::none && result.freshness != Freshness::fresh;
  if (stale && asks_behind()) {
    parts_.served_stale(request_);
  }
}

void ReadOp::finish(ReadResult result) {
  ReadHandler handler;
  {
    Lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    handler = std::move(handler_);
    if (deadline_timer_ != 0) runtime_.executor->cancel(deadline_timer_);
    if (soft_timer_ != 0) runtime_.executor->cancel(soft_timer_);
  }
  ended(result);
  if (handler) handler(std::move(result));
}

void ReadOp::time_out() {
  const std::string why = asked() == Tier::source ? parts_.refreshes.no_answer_yet(id_)
                                                  : "no answer by the call's deadline";
  {
    Lock lock(mutex_);
    if (finished_) return;
    const TierWord word = word_in(passage_, asking_);
    if (asking_ != Tier::none && *word.answer == TierAnswer::not_asked) {
      *word.answer = TierAnswer::timed_out;
      *word.why = why;
    }
  }
  finish(conclude());
}

// --- State that a time-out may read meanwhile ---

void ReadOp::answer(Tier tier, TierAnswer said, const std::string& why) {
  Lock lock(mutex_);
  const TierWord word = word_in(passage_, tier);
  *word.answer = said;
  *word.why = why;
}

Passage ReadOp::passage() const {
  Lock lock(mutex_);
  return passage_;
}

ReadOp::Candidate ReadOp::candidate() const {
  Lock lock(mutex_);
  return candidate_;
}

void ReadOp::set_candidate(Candidate candidate) {
  Lock lock(mutex_);
  candidate_ = std::move(candidate);
}

void ReadOp::drop_candidate() {
  set_candidate({});
}

void ReadOp::asking(Tier tier) {
  Lock lock(mutex_);
  asking_ = tier;
}

Tier ReadOp::asked() const {
  Lock lock(mutex_);
  return asking_;
}

}  // namespace tiercache::detail
