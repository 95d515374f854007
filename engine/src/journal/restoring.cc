// A restoring has the turn from its beginning to its end, so what others append meanwhile waits:
//
//     owner calls `stands`: false -> calls `restore`     writers
//         take the turn                                  their commits return at once
//         mark deleted folders, make a new one
//         for each segment in a deleted folder:
//             copy what can be read by its open file
//             make anew what only the index or the caller knows
//             write and sync that in the new folder; the old records are dead
//         end the turn                                   what they queued is written now, by this
//                                                        thread
//
// An error ends it early. Segments that were brought over have nothing live any more, so the next
// call brings over only the others. Until one call has succeeded, every record that is committed is
// answered `not_applied`.
#include "journal/restoring.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/same_file.h"

namespace tiercache {
namespace {

// True if nothing is missing. A tombstone needs no document.
bool is_whole(const Entry& entry) {
  return entry.kind == EntryKind::tombstone || entry.document != nullptr;
}

}  // namespace

// --- Away ---

IoStatus FolderRestoring::come_back() {
  if (own_folder_.get() && own_folder_.away().ok()) return {};
  if (const IoStatus taken = queue_.take_turn(); !taken.ok()) return taken;
  // Another thread may have made it before this one had the turn.
  const IoStatus status = own_folder_.away().ok() ? IoStatus{} : own_folder_.come_back();
  queue_.end_turn();
  return status;
}

// --- Deleted ---

std::vector<std::shared_ptr<JournalFolder>> FolderRestoring::folders() const {
  std::vector<std::shared_ptr<JournalFolder>> all;
  if (auto own = own_folder_.get()) all.push_back(std::move(own));
  table_.collect_folders(&all);
  return all;
}

bool FolderRestoring::is_in_place(const JournalFolder& of) const {
  return still_leads_to(file_system_, owner_path(of), of.owner_identity);
}

bool FolderRestoring::stands() const {
  const auto own = own_folder_.get();
  if (!own) return true;
  if (own_folder_.is_restoring()) return false;
  std::vector<std::shared_ptr<JournalFolder>> ours = folders();
  if (!own_folder_.is_there()) std::erase(ours, own);
  return std::all_of(ours.begin(), ours.end(), [&](const auto& of) { return is_in_place(*of); });
}

IoStatus FolderRestoring::restore(const Newest& newest) {
  if (!own_folder_.begin_restoring()) return {EBADF, "the journal is closed"};
  if (const IoStatus taken = queue_.take_turn(); !taken.ok()) return taken;
  IoStatus status = replace_deleted_folder();
  for (const SegmentPtr& segment : table_.in_deleted_folders()) {
    if (status.ok()) status = bring_over(segment, newest);
  }
  own_folder_.end_restoring(status.ok());
  queue_.end_turn();
  return status;
}

IoStatus FolderRestoring::replace_deleted_folder() {
  for (const auto& of : folders()) {
    if (!is_in_place(*of)) of->deleted = true;
  }
  const auto own = own_folder_.get();
  if (!own || !own->deleted) return {};
  own->own = false;
  writer_.leave_behind();
  return own_folder_.replace();
}

IoStatus FolderRestoring::bring_over(const SegmentPtr& segment, const Newest& newest) {
  std::vector<QueuedRecord> copies;
  std::set<std::uint64_t> known;
  reader_.read_intact(*segment, writer_.file_of(segment), &copies, &known);
  const std::uint64_t lost = recreate_unread(*segment, known, newest, &copies);
  const IoStatus status = writer_.write(pointers_to(&copies), Sync::yes);
  if (!status.ok()) return status;  // the next try meets these records again
  counters_.lost_records += lost;
  writer_.forget_left_behind(segment);
  table_.with_index([&](LiveIndex& index) { index.drop_records_in(segment->number); });
  return {};
}

std::uint64_t FolderRestoring::recreate_unread(const JournalSegment& segment,
                                               const std::set<std::uint64_t>& known,
                                               const Newest& newest,
                                               std::vector<QueuedRecord>* out) {
  std::uint64_t lost = 0;
  const auto unread = table_.with_index(
      [&](const LiveIndex& index) { return index.known_in(segment.number, known); });
  for (const LiveIndex::KnownRecord& item : unread) {
    Record record = item.record;
    const Version version = record.entry.version;
    const bool of_entry = record.kind == RecordKind::content || record.kind == RecordKind::clocks;
    const std::optional<Entry> entry = of_entry ? newest(record.id) : std::nullopt;
    if (entry && entry->version == version) {
      if (record.kind == RecordKind::content) record.entry = *entry;
      record.entry.metadata = entry->metadata;
    }
    if (record.kind == RecordKind::content && !is_whole(record.entry)) {
      const bool superseded = entry && entry->version > version;
      if (!superseded && !item.confirmed) ++lost;
      continue;
    }
    out->push_back(make_queued(std::move(record)));
    out->back().copy_of = item.place;
  }
  return lost;
}

}  // namespace tiercache
