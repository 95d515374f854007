#include "cache/upkeep/directory_keeper.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/spoken.h"
#include "cache/local/cache_directory.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstLook{100};
constexpr milliseconds kLongestBetweenLooks{5'000};
constexpr int kTurnsAwaited = 100;

}  // namespace

void DirectoryKeeper::make_whole_soon() {
  Lock lock(mutex_);
  if (std::exchange(armed_, true)) return;
  const milliseconds pause =
      failures_ == 0
          ? milliseconds(0)
          : std::min(kLongestBetweenLooks, kFirstLook * (1 << std::min(failures_ - 1, 6)));
  runtime_.tasks.later(runtime_.after(pause), Lane::disk, [this] {
    {
      Lock own(mutex_);
      armed_ = false;
    }
    if (runtime_.is_open()) make_whole();
  });
}

bool DirectoryKeeper::make_whole() {
  const bool stood = local_.stands();
  if (stood && local_.away().ok()) return true;
  {
    Lock lock(mutex_);
    if (std::exchange(busy_, true)) return stood;
  }
  const bool made = stood || make_standing();
  if (made && !local_.away().ok()) come_back();
  {
    Lock lock(mutex_);
    busy_ = false;
    failures_ = made && local_.away().ok() ? 0 : failures_ + 1;
  }
  if (!made || !local_.away().ok()) make_whole_soon();
  return made;
}

bool DirectoryKeeper::make_standing() {
  const std::string why_not = make_anew();
  if (why_not.empty()) return true;
  runtime_.marks.directory.failed("the directory was deleted and cannot be made anew: " + why_not);
  return false;
}

IoStatus DirectoryKeeper::in_turn(const std::function<IoStatus()>& act) const {
  IoStatus status{EAGAIN, {}};
  for (int turn = 0; turn < kTurnsAwaited && status.error == EAGAIN; ++turn) {
    if (turn > 0) runtime_.pause(milliseconds(1));
    status = act();
  }
  return status;
}

// --- Making what the disk would not take ---

void DirectoryKeeper::come_back() {
  const IoStatus status = bring_back();
  if (!status.ok()) {
    const std::string why = "the disk takes nothing new, it is tried again: " + status.what;
    if (!local_.files().away().ok()) runtime_.marks.file_writes.failed(why);
    if (!local_.journal().away().ok()) runtime_.marks.journal.failed(why);
    return;
  }
  runtime_.marks.file_writes.worked();
  runtime_.marks.journal.worked();
  identity_.keep_again();
  file_writer_.flush();
}

IoStatus DirectoryKeeper::bring_back() {
  const bool only_read = !local_.files().away().ok();
  IoStatus status = local_.files().come_back();
  if (status.ok() && (only_read || !local_.shares_counters())) local_.share_counters_again();
  if (!status.ok()) return status;
  return in_turn([&] { return local_.journal().come_back(); });
}

// --- Making it anew ---

std::string DirectoryKeeper::make_anew() {
  try {
    own_directory_again(runtime_);
  } catch (const BadDirectory& error) {
    local_.files().leave();  // it may be another project's by now
    return error.what();
  }
  IoStatus status = reopen_files();
  if (status.ok()) status = restore_journal();
  if (!status.ok()) return status.what;
  if (!local_.counters_stand()) local_.share_counters_again();
  fill_files();
  resume();
  return {};
}

IoStatus DirectoryKeeper::reopen_files() {
  if (local_.files().stands()) return {};
  const Index& index = local_.index();
  for (const std::string& dataset : index.datasets()) {
    index.for_each(dataset, [&](const std::string& key, const IndexItem& item) {
      deleted_.insert_or_assign({dataset, key}, item.kind);
    });
  }
  const IoStatus status = local_.files().reopen();
  if (status.ok()) local_.share_counters_again();  // in a slot that may be another
  return status;
}

IoStatus DirectoryKeeper::restore_journal() {
  if (local_.journal().stands()) return {};
  const std::uint64_t before = local_.journal().stats().lost_records;
  const IoStatus status = in_turn([&] {
    return local_.journal().restore([&](const EntryId& id) { return local_.newest(id); });
  });
  const std::uint64_t lost = local_.journal().stats().lost_records - before;
  if (lost > 0) {
    runtime_.log.error(LogTopic::journal,
                       "the directory was deleted, and with it {} that the store had not confirmed",
                       counted(lost, "acknowledged write"));
  }
  return status;
}

// Writes again what memory holds and what the journal has kept. Everything else is read from the
// store when somebody asks for it; without a store it is lost, and counted.
void DirectoryKeeper::fill_files() {
  std::vector<std::pair<EntryId, EntryPtr>> batch;
  const auto write_batch = [&] {
    const auto results = local_.files().write_synced(batch, EntryFiles::Sync::before);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!results[i].is_there()) file_writer_.restore_soon(batch[i].first);
      if (results[i].current) local_.take(batch[i].first, results[i].current);
    }
    batch.clear();
  };
  std::uint64_t lost = 0;
  for (const auto& [id, kind] : deleted_) {
    DatasetState* dataset = runtime_.datasets.find(id.dataset);
    const auto found =
        dataset != nullptr ? local_.memory().peek(dataset->ref(id.key)) : MemoryTier::Found{};
    const bool in_memory = found.resident && found.resident->kind != ResidentKind::not_found;
    if (in_memory) {
      const ResidentPtr& resident = found.resident;
      batch.emplace_back(id, std::shared_ptr<const Entry>(resident, &resident->entry));
      if (batch.size() == kFilesAtOnce) write_batch();
    } else if (local_.journal().holds(id)) {
      file_writer_.restore_soon(id);
    } else if (!runtime_.options.store && kind == EntryKind::document &&
               !local_.known(nullptr, id).in_files) {
      ++lost;
    }
  }
  write_batch();
  local_.files().filled();
  deleted_.clear();
  if (lost == 0) return;
  lost_documents_.add(lost);
  runtime_.log.error(LogTopic::files,
                     "the directory was deleted, and with it {} that only its files had",
                     counted(lost, "document"));
}

void DirectoryKeeper::resume() {
  runtime_.marks.directory.worked();
  runtime_.marks.file_reads.worked();  // they may have failed because it was gone
  runtime_.marks.file_writes.worked();
  runtime_.marks.journal.worked();
  runtime_.log.warn(LogTopic::files, "the directory was deleted and is made anew");
  identity_.keep_again();
  feed_.start_over();
  file_writer_.flush();
  file_writer_.sync();
  hydration_.begin_all();
  local_.journal().resume();
  store_writer_.wake();
}

}  // namespace tiercache::detail
