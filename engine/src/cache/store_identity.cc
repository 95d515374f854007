#include "cache/store_identity.h"

#include "cache/core.h"
#include "cache/kept_text.h"

namespace tiercache::detail {

namespace {

constexpr std::string_view kHead = "tiercache-store 1\n";

}  // namespace

StoreIdentity::StoreIdentity(Core& core)
    : core_(core),
      path_(core.options.directory.string() + "/store"),
      known_(read_kept_text(*core.file_system, path_, kHead)) {}

void StoreIdentity::seen(const std::string& incarnation) {
  if (incarnation.empty()) return;
  Lock lock(mutex_);
  if (incarnation == met_) return;
  met_ = incarnation;
  // Another process on the directory may have been first, or have accepted it.
  if (known_ != met_) known_ = read_kept_text(*core_.file_system, path_, kHead);
  if (known_.empty()) {
    known_ = met_;
    if (!keep_text(*core_.file_system, path_, kHead, met_)) {
      core_.log->warn(LogTopic::files, "which store the directory belongs to was not kept");
    }
  }
  if (known_ == met_) return replaced_.reset();
  replaced_ = core_.clock->wall_now();
  core_.log->error(
      LogTopic::store,
      "the store was reset or restored: what it lacks is kept here until it is repaired");
}

std::optional<WallTime> StoreIdentity::replaced_since() const {
  Lock lock(mutex_);
  return replaced_;
}

bool StoreIdentity::accept() {
  Lock lock(mutex_);
  if (met_.empty()) return true;
  if (!keep_text(*core_.file_system, path_, kHead, met_)) return false;
  known_ = met_;
  replaced_.reset();
  return true;
}

}  // namespace tiercache::detail
