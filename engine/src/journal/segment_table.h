// The segments that hold live records, and the index of those records: what there is, under one
// lock.
//
// Index and segments belong together, since a place in the index is good for as long as its segment
// is there. Whoever reads a place without the lock has pinned the segment; `trim` deletes those in
// which nothing is live and that nobody has pinned:
//
//     lock: look up, pin  ->  read the files  ->  lock: change the index, unpin  ->  trim
//
// Files are deleted without the lock, and a segment is forgotten only once its file is gone for
// good. The table writes nothing and knows neither queues nor turns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "journal/journal_folder.h"
#include "journal/live_index.h"
#include "journal/queued_record.h"

namespace tiercache {

// Thread-safe. Its lock may be taken under any other of the journal; nothing is called under it but
// what `with_index` and the like were given.
class SegmentTable {
 public:
  // Without a store every record counts as settled.
  SegmentTable(FileSystem& file_system, bool has_store)
      : file_system_(file_system), index_(has_store) {}

  // --- What is live ---
  // Calls `use(index)` or `use(index, segments)` under the lock. It must be short.
  template <class Use>
  auto with_index(Use use) {
    Lock lock(mutex_);
    return use(index_);
  }
  template <class Use>
  auto with_segments(Use use) {
    Lock lock(mutex_);
    return use(index_, segments_);
  }
  // The same while the table is open; else it is not called, and the answer is an empty one.
  template <class Use>
  auto while_open(Use use)
      -> decltype(use(std::declval<LiveIndex&>(), std::declval<const SegmentMap&>())) {
    Lock lock(mutex_);
    if (!open_) return {};
    return use(index_, segments_);
  }
  // `live_records` and the like; what is counted elsewhere stays.
  void fill(JournalStats* stats) const;

  // --- Writing ---
  // Sequences rise over all records of this journal, segments' numbers over all segments.
  std::uint64_t reserve_sequences(std::uint64_t count);
  void sequence_met(std::uint64_t sequence);
  std::uint64_t take_number();
  std::uint64_t next_number() const;
  // The segment that is written from now on: it stays, although nothing is live in it.
  void add_current(const SegmentPtr& made);
  std::uint64_t current_number() const;  // 0: none
  // It is written no longer.
  void leave_current();
  // Nor can what it holds be trusted.
  void abandon_current(JournalSegment& failed);
  // These lie in the segment now, which is written up to `used_bytes`.
  void make_live(std::span<QueuedRecord* const> records, JournalSegment& segment,
                 std::uint64_t used_bytes);

  // --- Adopting ---
  // A dead owner's segment, which gets its number and is pinned. False once closed.
  bool add_met(const SegmentPtr& met);
  // Forgets the folder's segments, which were met and are pinned: all of it stays for somebody who
  // can read it. Their numbers.
  std::set<std::uint64_t> forget(const JournalFolder& of);
  // True when nothing is left in an adopted folder and it may be removed. One that must stay is
  // kept locked.
  bool is_emptied(const std::shared_ptr<JournalFolder>& of);

  // --- Reading ---
  // Null when the segment is gone or about to be.
  SegmentPtr pin(std::uint64_t number);
  void unpin(std::uint64_t number);
  void unpin(const std::vector<Place>& places);
  // Adds those of the folders that are not listed yet.
  void list_folders(std::vector<std::shared_ptr<JournalFolder>>* all) const;
  std::vector<SegmentPtr> in_deleted_folders() const;

  // --- Letting go ---
  // Which segment is to be copied forward next, of those numbered from `first` on and before `end`.
  std::optional<std::uint64_t> next_to_compact(Compact how, std::uint64_t first,
                                               std::uint64_t end) const;
  // Success when none of these is there any more. EIO: one of them cannot be deleted; EAGAIN: not
  // just now.
  IoStatus deleted(const std::set<std::uint64_t>& numbers) const;
  // Deletions that failed are tried again by the next `trim`.
  void retry_deletions();
  // Deletes segments without live records, and adopted folders without segments.
  void trim();
  // Nothing is deleted any more, and `while_open` is over.
  void close();
  // Lets go of the segments and the locks of their folders. Nobody writes any more.
  void let_go();

 private:
  bool holds_untrusted() const TIERCACHE_REQUIRES(mutex_);
  std::vector<SegmentPtr> choose_dead();
  // False when the file may still be there after a power loss.
  bool delete_file(const JournalSegment& segment);
  // The folders that have no segment left.
  std::vector<std::shared_ptr<JournalFolder>> remove(std::span<const SegmentPtr> gone,
                                                     std::span<const SegmentPtr> stuck);

  FileSystem& file_system_;

  mutable Mutex mutex_;
  LiveIndex index_ TIERCACHE_GUARDED_BY(mutex_);
  SegmentMap segments_ TIERCACHE_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<JournalFolder>> kept_ TIERCACHE_GUARDED_BY(mutex_);  // their locks
  std::uint64_t next_number_ TIERCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_sequence_ TIERCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t current_number_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool open_ TIERCACHE_GUARDED_BY(mutex_) = true;
};

}  // namespace tiercache
