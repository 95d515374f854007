#include "oracle/key_history.h"

#include <algorithm>
#include <utility>

#include "oracle/document.h"

namespace tiercache::testing {

const char* to_string(Broken broken) {
  switch (broken) {
    case Broken::lost:
      return "acknowledged write lost";
    case Broken::came_back:
      return "deleted entry back";
    case Broken::wrong:
      return "wrong bytes";
    case Broken::older:
      return "older over newer";
  }
  return "";
}

void KeyHistory::put_begins(std::uint64_t number) {
  begins({.number = number, .base = {}, .first_base = {}, .version = {}});
}

void KeyHistory::refresh_begins(std::uint64_t number, std::optional<Version> base) {
  Write refresh{.number = number, .refresh = true, .base = base, .first_base = base, .version = {}};
  for (const Write& write : writes_) {
    // Of one that was never acknowledged the version is not known.
    const bool may_be_base = base && write.refresh && (!write.version || write.version == base);
    if (may_be_base) refresh.first_base = std::min(refresh.first_base, write.first_base);
  }
  begins(std::move(refresh));
}

void KeyHistory::erase_begins(std::uint64_t number, Scope scope) {
  begins({.number = number,
          .erase = true,
          .matching = scope == Scope::matching,
          .base = {},
          .first_base = {},
          .version = {}});
}

void KeyHistory::begins(Write write) {
  last_number_ = std::max(last_number_, write.number);
  writes_.push_back(std::move(write));
}

void KeyHistory::acknowledged(std::uint64_t number, Version version, Durable durable) {
  Write* write = find(number);
  if (write == nullptr) return;
  write->version = version;
  write->elsewhere = durable == Durable::elsewhere;
  if (write->elsewhere) return;
  if (standing_ && standing_->version >= version) return;
  standing_ = *write;
  std::erase_if(writes_, [this](const Write& other) {
    return other.number != standing_->number && !other.refused && !may_stand(other);
  });
}

void KeyHistory::refused(std::uint64_t number) {
  if (Write* write = find(number)) write->refused = true;
}

void KeyHistory::went_astray(std::uint64_t number) {
  if (Write* write = find(number)) write->astray = true;
}

bool KeyHistory::is_open(std::uint64_t number) const {
  const Write* write = find(number);
  return write != nullptr && !write->version && !write->refused;
}

KeyHistory::Write* KeyHistory::find(std::uint64_t number) {
  const auto found = std::find_if(writes_.begin(), writes_.end(),
                                  [&](const Write& write) { return write.number == number; });
  return found == writes_.end() ? nullptr : &*found;
}

const KeyHistory::Write* KeyHistory::find(std::uint64_t number) const {
  return const_cast<KeyHistory*>(this)->find(number);
}

bool KeyHistory::may_stand(const Write& write) const {
  if (write.refused) return false;
  if (!standing_ || write.number == standing_->number) return true;
  if (write.version && *write.version > *standing_->version) return true;
  if (standing_->refresh && write.elsewhere) {
    return *write.version > standing_->first_base.value_or(Version{});
  }
  // A settled matching erase leaves no trace of its version in the directory: after a restart with
  // the clock set back a later write may be stamped below it, and then either may stand.
  if (write.version) return standing_->matching && write.number > standing_->number;
  if (write.astray) return true;
  if (write.base && *write.base >= *standing_->version) return true;
  // A refresh of what the store had put in the standing one's place.
  const bool on_another =
      write.base && std::any_of(writes_.begin(), writes_.end(), [&](const Write& other) {
        return other.number < write.number && other.version == write.base && may_stand(other);
      });
  if (on_another) return true;
  return !write.base && write.number > standing_->number;
}

std::optional<Verdict> KeyHistory::judge(const Answer& answer) const {
  if (!answer.document) return judge_nothing();
  const auto number = read_document(key_, *answer.document);
  if (!number) return Verdict{Broken::wrong, key_ + ": not a document of this key; " + story()};
  return judge_document(*number, answer);
}

std::optional<Verdict> KeyHistory::judge_nothing() const {
  if (!standing_ || standing_->erase) return std::nullopt;
  const bool erased = std::any_of(writes_.begin(), writes_.end(), [this](const Write& write) {
    return write.erase && may_stand(write);
  });
  if (erased) return std::nullopt;
  return Verdict{Broken::lost, key_ + ": nothing there; " + story()};
}

std::optional<Verdict> KeyHistory::judge_document(std::uint64_t number,
                                                  const Answer& answer) const {
  const std::string seen = key_ + ": write " + std::to_string(number) + " of version " +
                           answer.version.to_string() + " there; " + story();
  const Write* write = find(number);
  if (number > last_number_ || (write != nullptr && (write->erase || write->refused))) {
    return Verdict{Broken::wrong, seen};
  }
  if (write == nullptr || !may_stand(*write)) {
    return Verdict{standing_ && standing_->erase ? Broken::came_back : Broken::older, seen};
  }
  if (write->version && *write->version != answer.version) return Verdict{Broken::wrong, seen};
  if (write->astray && standing_ && answer.version < standing_->version) {
    return Verdict{Broken::older, seen};
  }
  if (answer.fresh && !stale_version_.is_zero() && answer.version == stale_version_ &&
      !fetched_elsewhere()) {
    return Verdict{Broken::lost, "its invalidation is not there: " + seen};
  }
  return std::nullopt;
}

// A refresh of what a process without the stale content had. It loses against that content, and its
// clocks merge with it.
bool KeyHistory::fetched_elsewhere() const {
  return std::any_of(writes_.begin(), writes_.end(), [this](const Write& write) {
    return write.refresh && write.number > stale_since_ &&
           write.base.value_or(Version{}) < stale_version_;
  });
}

std::string KeyHistory::story() const {
  std::string text = "known:";
  for (const Write& write : writes_) {
    text += write.erase ? " erase " : " put ";
    text += std::to_string(write.number);
    if (write.refused) text += " refused";
    if (write.astray) text += " astray";
    if (write.version) text += " as " + write.version->to_string();
    if (write.base) text += " on " + write.base->to_string();
    if (standing_ && standing_->number == write.number) text += " (acknowledged, stands)";
    text += ',';
  }
  text.back() = ';';
  return text;
}

}  // namespace tiercache::testing
