#include "cache/directory_keeper.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/spoken.h"
#include "cache/change_feed.h"
#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/refresh_path.h"
#include "cache/store_identity.h"
#include "files/directory.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstLook{100};
constexpr milliseconds kLongestBetweenLooks{5'000};
constexpr int kTurnsAwaited = 100;

}  // namespace

bool DirectoryKeeper::stands() const {
  return has_marker(*core_.file_system, core_.options.directory.string()) &&
         core_.journal->stands() && (core_.files->stands() || !core_.files->away().ok()) &&
         core_.counters_stand();
}

IoStatus DirectoryKeeper::away() const {
  const IoStatus files = core_.files->away();
  return files.ok() ? core_.journal->away() : files;
}

void DirectoryKeeper::look_soon() {
  Lock lock(mutex_);
  if (std::exchange(armed_, true)) return;
  const milliseconds pause =
      failures_ == 0
          ? milliseconds(0)
          : std::min(kLongestBetweenLooks, kFirstLook * (1 << std::min(failures_ - 1, 6)));
  core_.executor->schedule(core_.after(pause), Lane::disk, [weak = core_.weak_from_this()] {
    const auto core = weak.lock();
    if (!core) return;
    DirectoryKeeper& self = *core->directory_keeper;
    {
      Lock own(self.mutex_);
      self.armed_ = false;
    }
    if (core->is_open()) self.look();
  });
}

bool DirectoryKeeper::look() {
  const bool stood = stands();
  if (stood && away().ok()) return true;
  {
    Lock lock(mutex_);
    if (std::exchange(busy_, true)) return stood;
  }
  const bool made = stood || make_whole();
  if (made && !away().ok()) come_back();
  {
    Lock lock(mutex_);
    busy_ = false;
    failures_ = made && away().ok() ? 0 : failures_ + 1;
  }
  if (!made || !away().ok()) look_soon();
  return made;
}

bool DirectoryKeeper::make_whole() {
  const std::string why_not = make_anew();
  if (why_not.empty()) return true;
  core_.marks->directory.failed("the directory was deleted and cannot be made anew: " + why_not);
  return false;
}

IoStatus DirectoryKeeper::in_turn(const Core& core, const std::function<IoStatus()>& act) {
  IoStatus status{EAGAIN, {}};
  for (int turn = 0; turn < kTurnsAwaited && status.error == EAGAIN; ++turn) {
    if (turn > 0) core.pause(milliseconds(1));
    status = act();
  }
  return status;
}

// --- Making what the disk would not take ---

void DirectoryKeeper::come_back() {
  const IoStatus status = bring_back();
  if (!status.ok()) {
    const std::string why = "the disk takes nothing new, it is tried again: " + status.what;
    if (!core_.files->away().ok()) core_.marks->file_writes.failed(why);
    if (!core_.journal->away().ok()) core_.marks->journal.failed(why);
    return;
  }
  core_.marks->file_writes.worked();
  core_.marks->journal.worked();
  core_.store_identity->keep_again();
  core_.file_writer->flush();
}

IoStatus DirectoryKeeper::bring_back() {
  const bool only_read = !core_.files->away().ok();
  IoStatus status = core_.files->come_back();
  if (status.ok() && (only_read || !core_.shares_counters())) core_.share_counters_again();
  if (!status.ok()) return status;
  return in_turn(core_, [&] { return core_.journal->come_back(); });
}

// --- Making it anew ---

std::string DirectoryKeeper::make_anew() {
  try {
    core_.own_directory_again();
  } catch (const BadDirectory& error) {
    core_.files->leave();  // it may be another project's by now
    return error.what();
  }
  IoStatus status = reopen_files();
  if (status.ok()) status = restore_journal();
  if (!status.ok()) return status.what;
  if (!core_.counters_stand()) core_.share_counters_again();
  fill_files();
  resume();
  return {};
}

IoStatus DirectoryKeeper::reopen_files() {
  if (core_.files->stands()) return {};
  Index& index = core_.files->index();
  for (const std::string& dataset : index.datasets()) {
    index.for_each(dataset, [&](const std::string& key, const IndexItem& item) {
      deleted_.insert_or_assign({dataset, key}, item.kind);
    });
  }
  const IoStatus status = core_.files->reopen();
  if (status.ok()) core_.share_counters_again();  // in a slot that may be another
  return status;
}

IoStatus DirectoryKeeper::restore_journal() {
  if (core_.journal->stands()) return {};
  const std::uint64_t before = core_.journal->stats().lost_records;
  const IoStatus status = in_turn(core_, [&] {
    return core_.journal->restore([&](const EntryId& id) { return core_.newest_known(id); });
  });
  const std::uint64_t lost = core_.journal->stats().lost_records - before;
  if (lost > 0) {
    core_.log->error(LogTopic::journal,
                     "the directory was deleted, and with it {} that the store had not confirmed",
                     counted(lost, "acknowledged write"));
  }
  return status;
}

// What memory has, and what the journal has brought along, goes into files again. The rest is read
// from the store when it is asked for; where there is none, nothing else has it.
void DirectoryKeeper::fill_files() {
  std::vector<std::pair<EntryId, EntryPtr>> batch;
  const auto write_batch = [&] {
    const auto results = core_.files->write_synced(batch, EntryFiles::Sync::before);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!results[i].is_there()) core_.file_writer->lacks(batch[i].first);
      if (results[i].current) core_.take_newer(batch[i].first, results[i].current);
    }
    batch.clear();
  };
  std::uint64_t lost = 0;
  for (const auto& [id, kind] : deleted_) {
    DatasetState* dataset = core_.find_dataset(id.dataset);
    const auto found =
        dataset != nullptr ? core_.memory->peek(dataset->ref(id.key)) : MemoryTier::Found{};
    const bool in_memory = found.resident && found.resident->kind != ResidentKind::not_found;
    if (in_memory) {
      const ResidentPtr& resident = found.resident;
      batch.emplace_back(id, std::shared_ptr<const Entry>(resident, &resident->entry));
      if (batch.size() == Core::kFilesAtOnce) write_batch();
    } else if (core_.journal->holds(id)) {
      core_.file_writer->lacks(id);
    } else if (!core_.options.store && kind == EntryKind::document &&
               !core_.files->index().find(id)) {
      ++lost;
    }
  }
  write_batch();
  core_.files->filled();
  deleted_.clear();
  if (lost == 0) return;
  lost_documents_.add(lost);
  core_.log->error(LogTopic::files,
                   "the directory was deleted, and with it {} that only its files had",
                   counted(lost, "document"));
}

void DirectoryKeeper::resume() {
  core_.marks->directory.worked();
  core_.marks->file_reads.worked();  // where they failed for its being away
  core_.marks->file_writes.worked();
  core_.marks->journal.worked();
  core_.log->warn(LogTopic::files, "the directory was deleted and is made anew");
  core_.store_identity->keep_again();
  core_.change_feed->start_over();
  core_.file_writer->flush();
  core_.file_writer->sync();
  for (const std::string& name : core_.dataset_names()) {
    core_.refresh_path->hydrate(*core_.find_dataset(name));
  }
  core_.journal->resume();
  if (core_.drain) core_.drain->wake();
}

}  // namespace tiercache::detail
