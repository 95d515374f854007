#include "crash/oracle.h"

#include <cstdio>

#include "crash/setup.h"
#include "oracle/document.h"

namespace tiercache::testing {
namespace {

constexpr std::size_t kRecentEvents = 40;  // of a key, shown where a promise of it broke

}  // namespace

Oracle::Oracle() {
  for (int worker = 0; worker < kWorkers; ++worker) {
    for (int thread = 0; thread < kThreads; ++thread) {
      for (const std::string& key : keys_of(range_of(worker, thread))) {
        keys_.push_back(key);
        own_.emplace(key, KeyHistory(key));
      }
    }
  }
  for (const std::string& key : shared_keys()) {
    keys_.push_back(key);
    shared_.emplace(key, SharedKey(key));
  }
}

void Oracle::tell(const Event& event, std::uint64_t life) {
  const std::string where = "life " + std::to_string(life);
  if (event.kind == Event::Kind::acknowledged) ++acknowledged_;
  if (event.kind == Event::Kind::read || event.kind == Event::Kind::read_nothing) ++reads_;
  remember(event, life);
  if (const auto own = own_.find(event.key); own != own_.end()) {
    tell_own(own->second, event, where);
  } else if (const auto shared = shared_.find(event.key); shared != shared_.end()) {
    if (const auto verdict = shared->second.tell(event, life)) {
      broken_at(event.key, *verdict, where);
    }
  }
}

void Oracle::tell_own(KeyHistory& history, const Event& event, const std::string& where) {
  switch (event.kind) {
    case Event::Kind::put:
      return history.put_begins(event.number);
    case Event::Kind::erase:
      return history.erase_begins(event.number);
    case Event::Kind::erase_many:
      return history.erase_begins(event.number, KeyHistory::Scope::matching);
    case Event::Kind::refreshed:
      // It may have begun beside a write of which it does not know yet, and then come after it.
      refreshed_.insert(event.number);
      history.refresh_begins(event.number, event.version);
      return history.went_astray(event.number);
    case Event::Kind::acknowledged:
      return history.acknowledged(event.number, event.version);
    case Event::Kind::refused:
      return history.refused(event.number);
    case Event::Kind::astray:
      return history.went_astray(event.number);
    case Event::Kind::invalidated:
      return history.invalidated(event.version);
    case Event::Kind::confirmed:
      return history.confirmed();
    case Event::Kind::wrong:
      return broken_at(event.key, {Broken::wrong, event.key + ": bytes that nobody wrote"}, where);
    case Event::Kind::read:
    case Event::Kind::read_nothing:
      break;
  }
  Answer answer{.document = {}, .version = event.version, .fresh = event.fresh};
  if (event.kind == Event::Kind::read) answer.document = make_document(event.key, event.number);
  if (const auto verdict = history.judge(answer)) broken_at(event.key, *verdict, where);
  // What the source brought is served only once it is journaled: from then on it must stay.
  if (answer.document && history.is_open(event.number) && refreshed_.contains(event.number)) {
    history.acknowledged(event.number, event.version);
  }
}

void Oracle::judge(const std::string& where,
                   const std::function<Answer(const std::string& key)>& look) {
  for (const auto& [key, history] : own_) {
    if (const auto verdict = history.judge(look(key))) broken_at(key, *verdict, where);
  }
  for (const auto& [key, shared] : shared_) {
    if (const auto verdict = shared.judge(look(key))) broken_at(key, *verdict, where);
  }
}

void Oracle::remember(const Event& event, std::uint64_t life) {
  std::deque<std::string>& events = recent_[event.key];
  std::string line = "    life " + std::to_string(life) + ": " + to_line(event);
  events.push_back(std::move(line));
  if (events.size() > kRecentEvents) events.pop_front();
}

void Oracle::broken_at(const std::string& key, const Verdict& verdict, const std::string& where) {
  broken(verdict, where);
  std::printf("  The last that was told of it:\n");
  for (const std::string& event : recent_[key]) std::fputs(event.c_str(), stdout);
  std::fflush(stdout);
}

void Oracle::broken(const Verdict& verdict, const std::string& where) {
  ++counts_[verdict.broken];
  std::printf("VIOLATION %s: %s: %s\n", where.c_str(), to_string(verdict.broken),
              verdict.why.c_str());
  std::fflush(stdout);
}

std::uint64_t Oracle::count(Broken broken) const {
  const auto found = counts_.find(broken);
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t Oracle::violations() const {
  std::uint64_t all = 0;
  for (const auto& [broken, count] : counts_) all += count;
  return all;
}

}  // namespace tiercache::testing
