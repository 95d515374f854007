#include "cache/store_identity.h"

#include <utility>

#include "cache/core.h"
#include "cache/kept_text.h"

namespace tiercache::detail {

namespace {

constexpr std::string_view kHead = "tiercache-store 1\n";
// Between looks whether another process on the directory has accepted a replaced store.
constexpr std::chrono::milliseconds kLookEvery{1'000};

}  // namespace

StoreIdentity::StoreIdentity(Core& core)
    : core_(core), path_(core.options.directory.string() + "/store") {}

void StoreIdentity::seen(const std::string& incarnation) {
  if (incarnation.empty()) return;
  Lock lock(mutex_);
  const bool known = same_ || core_.clock->steady_now() < look_at_;
  if (incarnation == met_ && known) return;
  met_ = incarnation;
  compare();
}

void StoreIdentity::compare() {
  using State = KeptText::State;
  // Another process on the directory may have been first, or have accepted it.
  const KeptText kept = read_kept_text(*core_.file_system, path_, kHead);
  same_ = false;
  if (kept.state == State::failed) {
    look_at_ = core_.clock->steady_now();
    core_.log->warn(LogTopic::files,
                    "which store the directory belongs to cannot be read: nothing is dropped");
    return;
  }
  look_at_ = core_.after(kLookEvery);
  if (kept.state == State::read) known_ = kept.text;
  if (kept.state == State::absent && known_.empty()) remember_first();
  same_ = known_ == met_;
  if (!same_) return is_replaced(kept.state == State::damaged);
  if (!std::exchange(replaced_, std::nullopt)) return;
  core_.log->info(LogTopic::store, "the store is the one that the directory knows again");
}

void StoreIdentity::remember_first() {
  known_ = met_;
  if (core_.keep_note(path_, kHead, met_)) return;
  core_.log->warn(LogTopic::files, "which store the directory belongs to was not kept");
}

void StoreIdentity::is_replaced(bool damaged) {
  if (replaced_) return;
  replaced_ = core_.clock->wall_now();
  core_.log->error(LogTopic::store, "{}: what it lacks is kept here until it is repaired",
                   damaged ? "the store may be another one, the directory's note of it is damaged"
                           : "the store was reset or restored");
}

bool StoreIdentity::is_same() const {
  Lock lock(mutex_);
  return same_;
}

void StoreIdentity::keep_again() {
  Lock lock(mutex_);
  if (known_.empty()) return;
  const KeptText kept = read_kept_text(*core_.file_system, path_, kHead);
  if (kept.state != KeptText::State::absent) return;
  core_.keep_note(path_, kHead, known_);
}

std::optional<WallTime> StoreIdentity::replaced_since() const {
  Lock lock(mutex_);
  return replaced_;
}

bool StoreIdentity::accept() {
  Lock lock(mutex_);
  if (met_.empty()) return true;
  if (!core_.keep_note(path_, kHead, met_)) return false;
  known_ = met_;
  same_ = true;
  replaced_.reset();
  return true;
}

}  // namespace tiercache::detail
