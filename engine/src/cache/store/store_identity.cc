#include "cache/store/store_identity.h"

#include <utility>

#include "cache/runtime/kept_text.h"

namespace tiercache::detail {

namespace {

constexpr std::string_view kNoteHead = "tiercache-store 1\n";
constexpr std::string_view kNameHead = "tiercache-store-name 1\n";
// How often to look whether another process on the directory has accepted the store meanwhile.
constexpr std::chrono::milliseconds kLookEvery{1'000};

}  // namespace

StoreIdentity::StoreIdentity(Runtime& runtime, StoreCalls& calls, KeepNote keep_note,
                             std::function<void(bool was_another)> accepted)
    : runtime_(runtime),
      calls_(calls),
      keep_note_(std::move(keep_note)),
      accepted_(std::move(accepted)),
      path_(runtime.path("store")),
      name_path_(runtime.path("store-name")) {}

void StoreIdentity::seen(const std::string& incarnation) {
  if (incarnation.empty()) return;
  {
    Lock lock(mutex_);
    const bool known = same_ || runtime_.clock->steady_now() < look_at_;
    if (incarnation == met_ && known) return;
    met_ = incarnation;
    if (!compare()) return;
  }
  accepted_(true);
}

bool StoreIdentity::compare() {
  using State = KeptText::State;
  // Read again each time: another process on the directory may have written it first, or accepted
  // the store.
  const KeptText kept = read_kept_text(*runtime_.file_system, path_, kNoteHead);
  same_ = false;
  if (kept.state == State::failed) {
    look_at_ = runtime_.clock->steady_now();
    runtime_.log.warn(LogTopic::files,
                      "which store the directory belongs to cannot be read: nothing is dropped");
    return false;
  }
  look_at_ = runtime_.after(kLookEvery);
  if (kept.state == State::read) known_ = kept.text;
  damaged_ = kept.state == State::damaged;
  if (kept.state == State::absent && known_.empty()) remember_first();
  same_ = known_ == met_;
  if (!same_) {
    is_replaced();
    return false;
  }
  keep_name();
  if (!std::exchange(replaced_, std::nullopt)) return false;
  runtime_.log.info(LogTopic::store, "the store is the one that the directory knows again");
  return true;
}

void StoreIdentity::remember_first() {
  known_ = met_;
  if (keep_note_(path_, kNoteHead, met_)) return;
  runtime_.log.warn(LogTopic::files, "which store the directory belongs to was not kept");
}

// Remembers what the directory's store calls itself. A store with this name and another incarnation
// is the same one after a reset or restore; without the note it would count as a different store.
void StoreIdentity::keep_name() {
  const std::string name = calls_.store()->describe();
  if (known_name_.empty()) {
    known_name_ = read_kept_text(*runtime_.file_system, name_path_, kNameHead).text;
  }
  if (name == known_name_ || name.size() > kLongestKeptText) return;
  if (keep_note_(name_path_, kNameHead, name)) known_name_ = name;
}

bool StoreIdentity::may_keep() const {
  Lock lock(mutex_);
  return same_ || known_name_ == calls_.store()->describe();
}

bool StoreIdentity::keeps_outbox_waiting() const {
  Lock lock(mutex_);
  return replaced_ && !is_meant();
}

StoreIdentity::Names StoreIdentity::names() const {
  Lock lock(mutex_);
  return same_ ? Names{} : names_of_both();
}

StoreIdentity::Names StoreIdentity::names_of_both() const {
  const auto shown = [](const std::string& name, const std::string& incarnation) {
    if (incarnation.empty()) return std::string("not known");
    return (name.empty() ? "" : name + " ") + "(incarnation " + incarnation + ")";
  };
  return {.expected = shown(known_name_, known_), .met = shown(calls_.store()->describe(), met_)};
}

bool StoreIdentity::look_again() {
  Lock lock(mutex_);
  return !same_ && runtime_.clock->steady_now() >= look_at_ && compare();
}

bool StoreIdentity::may_send(Breaker::Urgency urgency) {
  if (look_again()) accepted_(true);
  {
    Lock lock(mutex_);
    if (!met_.empty() || unnamed_) return is_meant();
  }
  if (!calls_.store()->has_changes()) return true;
  const ChangesReply reply = calls_.changes({}, 1, urgency);
  if (reply.status != StoreStatus::ok) return false;
  Lock lock(mutex_);
  unnamed_ = met_.empty();
  return is_meant();
}

// A damaged note is no evidence against a store that has the right name.
bool StoreIdentity::is_meant() const {
  return same_ || (damaged_ && known_name_ == calls_.store()->describe());
}

void StoreIdentity::is_replaced() {
  if (replaced_) return;
  replaced_ = runtime_.clock->wall_now();
  known_name_ = read_kept_text(*runtime_.file_system, name_path_, kNameHead).text;
  const Names names = names_of_both();
  runtime_.log.error(LogTopic::store,
                     "{}: the directory belongs to {}, this one is {}. {}What the store lacks is "
                     "kept here until it is "
                     "accepted or repaired",
                     damaged_
                         ? "the store may be another one, the directory's note of it is damaged"
                         : "the store is another one, or was reset or restored",
                     names.expected, names.met, is_meant() ? "" : "The outbox waits. ");
}

bool StoreIdentity::is_same() const {
  Lock lock(mutex_);
  return same_;
}

void StoreIdentity::keep_again() {
  Lock lock(mutex_);
  if (known_.empty()) return;
  const KeptText kept = read_kept_text(*runtime_.file_system, path_, kNoteHead);
  if (kept.state != KeptText::State::absent) return;
  keep_note_(path_, kNoteHead, known_);
  if (!known_name_.empty()) keep_note_(name_path_, kNameHead, known_name_);
}

std::optional<WallTime> StoreIdentity::replaced_since() const {
  Lock lock(mutex_);
  return replaced_;
}

bool StoreIdentity::accept() {
  bool was_same = false;
  {
    Lock lock(mutex_);
    if (met_.empty()) return unnamed_;
    if (!keep_note_(path_, kNoteHead, met_)) return false;
    known_ = met_;
    was_same = std::exchange(same_, true);
    keep_name();
    replaced_.reset();
  }
  accepted_(!was_same);
  return true;
}

}  // namespace tiercache::detail
