// The segments of a journal and the index of what is live in them, under one lock.
//
// They belong together because a place in the index is good only while its segment is there.
// Whoever reads a place without the lock pins the segment first; `trim` deletes segments in which
// nothing is live and which nobody has pinned:
//
//     lock: look up, pin  ->  read the files  ->  lock: change the index, unpin  ->  trim
//
// The lock is not held while files are deleted, and a segment is forgotten only once its file is
// gone for good. The table writes nothing, and it knows neither queues nor turns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "journal/live/live_index.h"
#include "journal/segments/journal_folder.h"
#include "journal/segments/queued_record.h"

namespace tiercache {

// Owned by the journal and shared by its parts. Thread-safe. Its lock is one of the journal's two
// and the innermost: it may be taken under any other of the journal's locks, and nothing is called
// under it but what `with_index` and the like were given.
class SegmentTable {
 public:
  // Without a store every record counts as settled.
  SegmentTable(FileSystem& file_system, bool has_store)
      : file_system_(file_system), index_(has_store) {}

  // --- What is live ---
  // Calls `use(index)`, or `use(index, segments)`, under the lock and returns what it returns. It
  // must be short and must not call the journal.
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
  // The same while the table is open. After `close` it is not called, and the answer is an empty
  // one.
  template <class Use>
  auto while_open(Use use)
      -> decltype(use(std::declval<LiveIndex&>(), std::declval<const SegmentMap&>())) {
    Lock lock(mutex_);
    if (!open_) return {};
    return use(index_, segments_);
  }
  // Fills in the figures that the table knows, from `live_records` to `parked_bytes`.
  void fill(JournalStats* stats) const;

  // --- Writing ---
  // The first of `count` sequence numbers, which rise over all records of this journal.
  std::uint64_t reserve_sequences(std::uint64_t count);
  // An adopted record has this sequence number; those reserved later are higher.
  void note_sequence(std::uint64_t sequence);
  // The number of the next segment, which is then used up.
  std::uint64_t take_number();
  // The number that the next segment will get. All segments that are there have lower ones.
  std::uint64_t next_number() const;
  // Lists the segment that is written from now on. It stays although nothing is live in it.
  void add_current(const SegmentPtr& made);
  // 0 while no segment is current.
  std::uint64_t current_number() const;
  // The current segment is written no longer, and may go once nothing in it is live.
  void finish_current();
  // The same after a failure: its live records should move as soon as possible.
  void abandon_current(JournalSegment& failed);
  // Records that were written to the segment, up to `used_bytes`, become live there.
  void make_live(std::span<QueuedRecord* const> records, JournalSegment& segment,
                 std::uint64_t used_bytes);

  // --- Adopting ---
  // Lists a dead owner's segment, gives it its number, and pins it. False if the table is closed.
  bool add_adopted(const SegmentPtr& met);
  // Forgets the segments of a folder whose adoption failed. They must still be pinned. The files
  // stay for somebody who can read them. The answer is the segments' numbers.
  std::set<std::uint64_t> forget(const JournalFolder& of);
  // Ends the adoption of a folder. True if it has no segments and the caller is to remove it. A
  // folder that must stay on disk is not removed; it stays locked until `let_go`, so that nobody
  // adopts it over and over.
  bool finish_adopting(const std::shared_ptr<JournalFolder>& of);

  // --- Reading ---
  // Keeps the segment from being deleted until `unpin`. Null if it is gone or is being deleted.
  SegmentPtr pin(std::uint64_t number);
  // Takes back one pin of the segment, or one for each of these places.
  void unpin(std::uint64_t number);
  void unpin(const std::vector<Place>& places);
  // Adds the folders of all segments to those that are in `all` already.
  void collect_folders(std::vector<std::shared_ptr<JournalFolder>>* all) const;
  // The segments whose folders were found deleted.
  std::vector<SegmentPtr> in_deleted_folders() const;

  // --- Letting go ---
  // The segment that should be copied forward next, of those with numbers from `first` up to but
  // not including `end`. Nullopt if none should be.
  std::optional<std::uint64_t> next_to_compact(Compact how, std::uint64_t first,
                                               std::uint64_t end) const;
  // Success if none of these segments is left. EIO means that one of them cannot be deleted, and
  // EAGAIN that one is still needed or being deleted just now.
  IoStatus check_deleted(const std::set<std::uint64_t>& numbers) const;
  // Lets the next `trim` try deletions again that failed before.
  void retry_deletions();
  // Deletes segments without live records, and adopted folders that are then empty. Does nothing
  // while records of a dead owner wait to be copied forward. Must be called without the lock.
  void trim();
  // Nothing is deleted after this, nothing is handed out, and `while_open` answers an empty result.
  void close();
  // Forgets the segments, and with them the locks of their folders, as soon as nobody reads in them
  // any more. To be called when nobody writes any more.
  void let_go();

 private:
  // True while something is live in a readable segment of a dead owner.
  bool holds_untrusted() const TIERCACHE_REQUIRES(mutex_);
  // Marks the segments that may go as being deleted, and returns them.
  std::vector<SegmentPtr> choose_dead();
  // False if the file may still be there, or come back after a power loss.
  bool delete_file(const JournalSegment& segment);
  // Forgets the segments that are gone, and returns the adopted folders that are empty by that.
  std::vector<std::shared_ptr<JournalFolder>> remove(std::span<const SegmentPtr> gone,
                                                     std::span<const SegmentPtr> stuck);

  FileSystem& file_system_;

  mutable Mutex mutex_;
  LiveIndex index_ TIERCACHE_GUARDED_BY(mutex_);
  SegmentMap segments_ TIERCACHE_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<JournalFolder>> kept_ TIERCACHE_GUARDED_BY(mutex_);  // that must stay
  std::uint64_t next_number_ TIERCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t next_sequence_ TIERCACHE_GUARDED_BY(mutex_) = 1;
  std::uint64_t current_number_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  bool open_ TIERCACHE_GUARDED_BY(mutex_) = true;
};

}  // namespace tiercache
