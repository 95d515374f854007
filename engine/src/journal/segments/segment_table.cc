// How a segment goes. Marking comes before deleting and forgetting comes after it, since no file is
// deleted under the lock:
//
//     lock: dead, not current, not pinned  ->  being_deleted = true; nobody can pin it any more
//        delete the file; in an adopted folder, sync the folder
//     lock: it worked  ->  forget the segment; an erase that guarded against it may become dead
//           it failed  ->  deletion_failed = true, until a compaction lifts that
//     again, because forgetting may have made more segments dead
#include "journal/segments/segment_table.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "journal/format/segment.h"

namespace tiercache {

void SegmentTable::fill(JournalStats* stats) const {
  Lock lock(mutex_);
  stats->live_records = index_.live_records();
  stats->live_bytes = index_.live_bytes();
  stats->unsettled = index_.unsettled();
  stats->parked = index_.parked_count();
  stats->parked_bytes = index_.parked_bytes();
  stats->segments = segments_.size();
  for (const auto& [number, segment] : segments_) stats->disk_bytes += segment->file_bytes;
}

// --- Writing ---

std::uint64_t SegmentTable::reserve_sequences(std::uint64_t count) {
  Lock lock(mutex_);
  return std::exchange(next_sequence_, next_sequence_ + count);
}

void SegmentTable::note_sequence(std::uint64_t sequence) {
  Lock lock(mutex_);
  next_sequence_ = std::max(next_sequence_, sequence + 1);
}

std::uint64_t SegmentTable::take_number() {
  Lock lock(mutex_);
  return next_number_++;
}

std::uint64_t SegmentTable::next_number() const {
  Lock lock(mutex_);
  return next_number_;
}

void SegmentTable::add_current(const SegmentPtr& made) {
  Lock lock(mutex_);
  ++made->folder->segments;
  segments_.emplace(made->number, made);
  index_.add_segment(made->number);
  current_number_ = made->number;
}

std::uint64_t SegmentTable::current_number() const {
  Lock lock(mutex_);
  return current_number_;
}

void SegmentTable::finish_current() {
  Lock lock(mutex_);
  current_number_ = 0;
}

void SegmentTable::abandon_current(JournalSegment& failed) {
  Lock lock(mutex_);
  current_number_ = 0;
  failed.write_failed = true;
}

void SegmentTable::make_live(std::span<QueuedRecord* const> records, JournalSegment& segment,
                             std::uint64_t used_bytes) {
  Lock lock(mutex_);
  for (const QueuedRecord* one : records) {
    if (one->copy_of) {
      index_.move(one->record, *one->copy_of, one->place);
    } else if (one->record.kind == RecordKind::parked) {
      index_.add_parked_marker(one->record, one->place);
    } else {
      index_.add(one->record, one->place);
    }
  }
  segment.used_bytes = used_bytes;
}

// --- Adopting ---

bool SegmentTable::add_adopted(const SegmentPtr& met) {
  Lock lock(mutex_);
  if (!open_) return false;
  met->number = next_number_++;
  segments_.emplace(met->number, met);
  ++met->folder->segments;
  index_.add_segment(met->number);
  index_.pin(met->number);
  return true;
}

std::set<std::uint64_t> SegmentTable::forget(const JournalFolder& of) {
  std::set<std::uint64_t> numbers;
  Lock lock(mutex_);
  for (auto it = segments_.begin(); it != segments_.end();) {
    const std::uint64_t number = it->first;
    if (it->second->folder.get() != &of) {
      ++it;
      continue;
    }
    it = segments_.erase(it);
    index_.unpin(number);
    index_.forget_segment(number);
    numbers.insert(number);
  }
  return numbers;
}

bool SegmentTable::finish_adopting(const std::shared_ptr<JournalFolder>& of) {
  Lock lock(mutex_);
  if (of->must_stay && open_) kept_.push_back(of);
  return of->segments == 0 && !of->must_stay;
}

// --- Reading ---

SegmentPtr SegmentTable::pin(std::uint64_t number) {
  Lock lock(mutex_);
  const auto found = segments_.find(number);
  if (!open_ || found == segments_.end() || found->second->being_deleted) return nullptr;
  index_.pin(number);
  return found->second;
}

void SegmentTable::unpin(std::uint64_t number) {
  Lock lock(mutex_);
  index_.unpin(number);
}

void SegmentTable::unpin(const std::vector<Place>& places) {
  Lock lock(mutex_);
  index_.unpin(places);
}

void SegmentTable::collect_folders(std::vector<std::shared_ptr<JournalFolder>>* all) const {
  Lock lock(mutex_);
  for (const auto& [number, segment] : segments_) {
    const auto& of = segment->folder;
    if (std::find(all->rbegin(), all->rend(), of) == all->rend()) all->push_back(of);
  }
}

std::vector<SegmentPtr> SegmentTable::in_deleted_folders() const {
  std::vector<SegmentPtr> deleted;
  Lock lock(mutex_);
  for (const auto& [number, segment] : segments_) {
    if (segment->folder->deleted) deleted.push_back(segment);
  }
  return deleted;
}

// --- Letting go ---

std::optional<std::uint64_t> SegmentTable::next_to_compact(Compact how, std::uint64_t first,
                                                           std::uint64_t end) const {
  Lock lock(mutex_);
  std::optional<std::uint64_t> oldest;
  std::uint64_t used = 0;
  for (const auto& [number, segment] : segments_) {
    used += segment->used_bytes;
    if (number == current_number_ || segment->unreadable || segment->being_deleted) continue;
    if (segment->folder->deleted) continue;
    if (number < first || number >= end) continue;
    if (!segment->folder->own || segment->write_failed) return number;
    if (!oldest) oldest = number;
  }
  const std::uint64_t live = index_.live_bytes();
  const bool due = used > live && used - live > live;
  return how == Compact::all || due ? oldest : std::nullopt;
}

IoStatus SegmentTable::check_deleted(const std::set<std::uint64_t>& numbers) const {
  Lock lock(mutex_);
  for (const std::uint64_t number : numbers) {
    const auto found = segments_.find(number);
    if (found == segments_.end()) continue;
    const JournalSegment& segment = *found->second;
    if (segment.deletion_failed || segment.unreadable) {
      return {EIO, "journal segment " + segment.path + " cannot be deleted"};
    }
    return {EAGAIN, "the journal is being written"};
  }
  return {};
}

void SegmentTable::retry_deletions() {
  Lock lock(mutex_);
  for (auto& [number, segment] : segments_) segment->deletion_failed = false;
}

bool SegmentTable::delete_file(const JournalSegment& segment) {
  const IoStatus removed = file_system_.remove_file(segment.path);
  if (!removed.ok() && !removed.absent()) return false;
  // An erase that hid records of this segment may be let go of next, and lies in another folder.
  // Only a sync makes sure that a power loss does not bring this segment back without the erase.
  if (segment.folder->own) return true;
  const IoStatus synced = file_system_.sync_directory(segment.folder->path);
  return synced.ok() || synced.absent();
}

// Nobody knows whether what a dead owner wrote last was synced. Until it is copied forward a power
// loss may take it, and then the records that it made dead elsewhere are needed again. So until
// then nothing is deleted at all.
bool SegmentTable::holds_untrusted() const {
  for (const auto& [number, segment] : segments_) {
    if (!segment->folder->own && !segment->unreadable && index_.live_in(number) > 0) return true;
  }
  return false;
}

std::vector<SegmentPtr> SegmentTable::choose_dead() {
  std::vector<SegmentPtr> dead;
  Lock lock(mutex_);
  if (!open_ || holds_untrusted()) return dead;
  for (std::uint64_t number : index_.dead_segments()) {
    const SegmentPtr& segment = segments_.at(number);
    if (number == current_number_ || segment->being_deleted || segment->deletion_failed) continue;
    segment->being_deleted = true;
    dead.push_back(segment);
  }
  return dead;
}

std::vector<std::shared_ptr<JournalFolder>> SegmentTable::remove(
    std::span<const SegmentPtr> gone, std::span<const SegmentPtr> stuck) {
  std::vector<std::shared_ptr<JournalFolder>> emptied;
  Lock lock(mutex_);
  if (!open_) return emptied;
  for (const SegmentPtr& segment : stuck) {
    segment->deletion_failed = true;
    segment->being_deleted = false;
  }
  for (const SegmentPtr& segment : gone) {
    segments_.erase(segment->number);
    index_.remove_segment(segment->number);
    JournalFolder& of = *segment->folder;
    if (--of.segments == 0 && !of.own && !of.must_stay) emptied.push_back(segment->folder);
  }
  return emptied;
}

void SegmentTable::trim() {
  for (;;) {
    std::vector<SegmentPtr> gone = choose_dead();
    if (gone.empty()) return;
    // A segment that could not be deleted stays listed, so that erases that hide its records stay
    // live too.
    std::vector<SegmentPtr> stuck;
    std::erase_if(gone, [&](const SegmentPtr& segment) {
      if (delete_file(*segment)) return false;
      stuck.push_back(segment);
      return true;
    });
    for (const auto& old : remove(gone, stuck)) file_system_.remove_tree(old->path);
  }
}

void SegmentTable::close() {
  Lock lock(mutex_);
  open_ = false;
}

void SegmentTable::let_go() {
  Lock lock(mutex_);
  open_ = false;
  segments_.clear();
  kept_.clear();
}

}  // namespace tiercache
