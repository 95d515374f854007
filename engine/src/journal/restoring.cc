// Folders that were deleted under an open journal: a new one takes over what can still be had.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/same_file.h"
#include "journal/journal_impl.h"

namespace tiercache {
namespace {

bool is_whole(const Entry& entry) {
  return entry.kind == EntryKind::tombstone || entry.document != nullptr;
}

}  // namespace

std::vector<std::shared_ptr<JournalFolder>> Journal::Impl::folders() const {
  std::vector<std::shared_ptr<JournalFolder>> all;
  if (folder) all.push_back(folder);
  for (const auto& [number, segment] : segments) {
    const auto& of = segment->folder;
    if (std::find(all.rbegin(), all.rend(), of) == all.rend()) all.push_back(of);
  }
  return all;
}

bool Journal::Impl::stands() const {
  std::vector<std::shared_ptr<JournalFolder>> ours;
  {
    Lock lock(mutex);
    if (!folder) return true;
    if (restoring) return false;
    ours = folders();
    if (!away.ok()) std::erase(ours, folder);
  }
  return std::none_of(ours.begin(), ours.end(), [&](const std::shared_ptr<JournalFolder>& of) {
    return !still_leads_to(*file_system, owner_path(*of), of->owner);
  });
}

IoStatus Journal::Impl::restore(const Newest& newest) {
  {
    Lock lock(mutex);
    if (!folder) return {EBADF, "the journal is closed"};
    restoring = true;
    if (writing) return {EAGAIN, "the journal is being written"};
    writing = true;
  }
  IoStatus status = replace_deleted_folder();
  std::vector<SegmentPtr> deleted;
  {
    Lock lock(mutex);
    for (const auto& [number, segment] : segments) {
      if (segment->folder->gone) deleted.push_back(segment);
    }
  }
  for (const SegmentPtr& segment : deleted) {
    if (status.ok()) status = bring_over(segment, newest);
  }
  {
    Lock lock(mutex);
    restoring = !status.ok();
  }
  std::vector<QueuedRecord> nothing;
  run_round(Sync::no, &nothing);
  while (!commit()) {
  }
  return status;
}

// Whoever writes on and on would leave no turn for the restoring.
bool Journal::Impl::refuse_without_folder(std::vector<QueuedRecord>* batch) {
  Lock lock(mutex);
  if (!restoring && away.ok()) return false;
  const IoStatus why = restoring ? IoStatus{ENOENT, "the journal's folder was deleted"} : away;
  for (QueuedRecord& queued : *batch) queued.result = {AppendStatus::not_applied, why};
  return true;
}

// The segment written last keeps its descriptor, by which it can be read although its name is gone.
IoStatus Journal::Impl::replace_deleted_folder() {
  std::vector<std::shared_ptr<JournalFolder>> ours;
  {
    Lock lock(mutex);
    ours = folders();
  }
  for (const auto& of : ours) {
    if (still_leads_to(*file_system, owner_path(*of), of->owner)) continue;
    Lock lock(mutex);
    of->gone = true;
  }
  {
    Lock lock(mutex);
    if (!folder || !folder->gone) return {};
    folder->own = false;
    current_number = 0;
  }
  if (current.segment) left_behind.push_back({current.segment, std::move(current.file)});
  current = {};
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = make_folder(&made);
  if (!status.ok()) return status;
  Lock lock(mutex);
  if (!folder) return {EBADF, "the journal is closed"};
  folder = std::move(made);
  away = {};
  return {};
}

IoStatus Journal::Impl::bring_over(const SegmentPtr& segment, const Newest& newest) {
  const auto left = std::find_if(left_behind.begin(), left_behind.end(),
                                 [&](const LeftBehind& item) { return item.segment == segment; });
  File* const open = left == left_behind.end() ? nullptr : left->file.get();
  std::vector<QueuedRecord> copies;
  std::set<std::uint64_t> known;
  read_good(*segment, open, &copies, &known);
  const std::uint64_t lost_before = [&] {
    Lock lock(mutex);
    return counters.lost_records;
  }();
  make_once_more(*segment, known, newest, &copies);
  const IoStatus status = write_all(pointers(&copies), Sync::yes);
  Lock lock(mutex);
  if (!status.ok()) {
    counters.lost_records = lost_before;  // they are met again
    return status;
  }
  if (left != left_behind.end()) left_behind.erase(left);
  index.give_up(segment->number);
  return {};
}

void Journal::Impl::make_once_more(const JournalSegment& segment,
                                   const std::set<std::uint64_t>& known, const Newest& newest,
                                   std::vector<QueuedRecord>* out) {
  std::vector<LiveIndex::KnownRecord> unread;
  {
    Lock lock(mutex);
    unread = index.known_in(segment.number, known);
  }
  for (LiveIndex::KnownRecord& item : unread) {
    Record& record = item.record;
    const Version version = record.entry.version;
    const bool of_entry = record.kind == RecordKind::content || record.kind == RecordKind::clocks;
    const std::optional<Entry> entry = of_entry ? newest(record.id) : std::nullopt;
    if (entry && entry->version == version) {
      if (record.kind == RecordKind::content) record.entry = *entry;
      record.entry.metadata = entry->metadata;
    }
    if (record.kind == RecordKind::content && !is_whole(record.entry)) {
      const bool superseded = entry && entry->version > version;
      Lock lock(mutex);
      if (!superseded && !item.confirmed) ++counters.lost_records;
      continue;
    }
    QueuedRecord made;
    made.payload = encode_record(record);
    record.entry.document.reset();
    made.record = std::move(record);
    made.copy_of = item.place;
    out->push_back(std::move(made));
  }
}

// --- The public face ---

bool Journal::stands() const {
  return impl_->stands();
}

IoStatus Journal::restore(const Newest& newest) {
  return impl_->restore(newest);
}

}  // namespace tiercache
