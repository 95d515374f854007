#include "cache/upkeep/orphan_adoption.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/disk_refusal.h"
#include "cache/local/recovered_writes.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAdoptEvery{5'000};
// How long opening waits for another process that is adopting, and the pauses in between.
constexpr milliseconds kOpenPatience{10'000};
constexpr milliseconds kFirstOpenPause{2};
constexpr milliseconds kLongestOpenPause{256};

}  // namespace

void OrphanAdoption::open_journal() {
  RecoveredWrites writes(runtime_, local_, file_writer_);
  const auto recovered = [&](const Record& record) { writes.take(record); };
  const auto all_recovered = [&] { writes.write_files(); };
  IoStatus status;
  local_.open_journal(recovered, all_recovered, &status);
  // Another process may be adopting what this cache's last life has acknowledged, or the disk may
  // not read it just now. A journal of a later format stays as it is, however long one waits, and a
  // disk that takes nothing new may stay so for hours.
  const SteadyTime patience = runtime_.after(kOpenPatience);
  milliseconds pause = kFirstOpenPause;
  const auto may_yet_be = [&] { return status.error != ENOTSUP && !refuses_for_now(status.error); };
  while (!status.ok() && may_yet_be() && runtime_.clock->steady_now() < patience) {
    runtime_.pause(pause);
    if (status.error != EAGAIN) pause = std::min(2 * pause, kLongestOpenPause);
    status = local_.journal().adopt(recovered, all_recovered);
  }
  note(status);
  writes.finish();
  take_over(status);
}

bool OrphanAdoption::adopt() {
  if (!directory_keeper_.make_whole()) return false;
  RecoveredWrites writes(runtime_, local_, file_writer_);
  const IoStatus status = local_.journal().adopt([&](const Record& record) { writes.take(record); },
                                                 [&] { writes.write_files(); });
  if (status.error != EAGAIN) note(status);
  if (writes.finish()) {
    local_.serve_unwritten();
    store_writer_.wake();
  }
  take_over(status);
  return status.ok();
}

// What this process's last life, or whoever had its slot, had under way is in files by now, or
// waits here for its file. A journal of a later format is never read here, so nobody waits for
// that.
void OrphanAdoption::take_over(const IoStatus& status) {
  if (status.ok() || status.error == ENOTSUP) local_.write_order().take_over();
}

void OrphanAdoption::start() {
  runtime_.tasks.while_open(runtime_.after(kAdoptEvery), Lane::disk, [this] {
    adopt();
    start();
  });
}

// Until a stopped cache's journal has been read, its last acknowledged writes are not served.
void OrphanAdoption::note(const IoStatus& status) {
  if (status.ok()) return runtime_.marks.adoption.worked();
  runtime_.marks.adoption.failed(
      "older values may be served: a stopped cache's journal cannot be read (" + status.what + ')',
      kAdoptEvery);
}

}  // namespace tiercache::detail
