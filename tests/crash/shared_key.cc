#include "crash/shared_key.h"

#include <algorithm>

#include "oracle/document.h"

namespace tiercache::testing {

std::optional<Verdict> SharedKey::tell(const Event& event, std::uint64_t life) {
  Version& seen = newest_seen_[{life, event.thread}];
  switch (event.kind) {
    case Event::Kind::refreshed:
      refreshed_.insert(event.number);
      begun_[event.number] = false;
      break;
    case Event::Kind::put:
      begun_[event.number] = false;
      break;
    case Event::Kind::erase:
    case Event::Kind::erase_many:
      begun_[event.number] = true;
      open_erase_ = true;
      break;
    case Event::Kind::acknowledged:
      acknowledged_[event.number] = event.version;
      if (!newest_ || newest_->first < event.version) {
        newest_ = {event.version, begun_[event.number]};
      }
      seen = std::max(seen, event.version);
      break;
    case Event::Kind::read:
      if (event.version < seen) {
        return Verdict{Broken::older, key_ + ": version " + event.version.to_string() +
                                          " served to a thread that knew " + seen.to_string()};
      }
      // What the source brought gives way to a write that it did not see, of a lower version too.
      if (!refreshed_.contains(event.number)) seen = event.version;
      break;
    case Event::Kind::wrong:
      return Verdict{Broken::wrong, key_ + ": bytes that nobody wrote"};
    default:
      break;
  }
  return std::nullopt;
}

std::optional<Verdict> SharedKey::judge(const Answer& answer) const {
  if (!answer.document) {
    const bool expected = !newest_ || newest_->second || open_erase_;
    if (expected) return std::nullopt;
    return Verdict{Broken::lost, key_ + ": nothing there, but version " +
                                     newest_->first.to_string() + " was acknowledged"};
  }
  const auto number = read_document(key_, *answer.document);
  const auto begun = number ? begun_.find(*number) : begun_.end();
  if (begun == begun_.end() || begun->second) {
    return Verdict{Broken::wrong, key_ + ": a document that nobody wrote"};
  }
  const auto acknowledged = acknowledged_.find(*number);
  if (acknowledged != acknowledged_.end() && acknowledged->second != answer.version) {
    return Verdict{Broken::wrong, key_ + ": write " + std::to_string(*number) +
                                      " under another version than it got"};
  }
  if (newest_ && answer.version < newest_->first) {
    return Verdict{newest_->second ? Broken::came_back : Broken::older,
                   key_ + ": version " + answer.version.to_string() + " there, but " +
                       newest_->first.to_string() + " was acknowledged"};
  }
  return std::nullopt;
}

}  // namespace tiercache::testing
