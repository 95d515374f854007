// Making a folder for a journal that has none: one whose folder was deleted while it was open, or
// that the disk did not take when it was opened. What can still be had is brought to the new
// folder.
//
// Three sources are left of a deleted folder: the segment that was written last, through its open
// file; what the index knows without reading (versions, clocks, tombstones); and documents that the
// caller has elsewhere. Until everything is brought over, nothing else is written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "journal/commit_queue.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"
#include "journal/segments/segment_writer.h"
#include "tiercache/entry.h"

namespace tiercache {

// Owned by the journal. Thread-safe: it has no state of its own, and changes files and index only
// while it has the turn to write.
class FolderRestoring {
 public:
  FolderRestoring(FileSystem& file_system, OwnFolder& own_folder, SegmentTable& table,
                  RecordReader& reader, SegmentWriter& writer, CommitQueue& queue,
                  JournalCounters& counters)
      : file_system_(file_system),
        own_folder_(own_folder),
        table_(table),
        reader_(reader),
        writer_(writer),
        queue_(queue),
        counters_(counters) {}

  // The three calls of `Journal` of the same names.
  IoStatus come_back();
  bool stands() const;
  using Newest = std::function<std::optional<Entry>(const EntryId&)>;
  IoStatus restore(const Newest& newest);

 private:
  // All folders of this journal, its own first.
  std::vector<std::shared_ptr<JournalFolder>> folders() const;
  // True if the folder's `owner` is still the file that was locked.
  bool is_in_place(const JournalFolder& of) const;

  // The following are for the thread that has the turn to write.

  // Marks the folders that were deleted, and makes a new one if the own folder is among them.
  IoStatus replace_deleted_folder();
  // Writes what was live in the segment to the new folder and forgets the segment.
  IoStatus bring_over(const SegmentPtr& segment, const Newest& newest);
  // Makes the records anew that cannot be read, those at other offsets than `known`. The answer is
  // how many of them nobody has any more.
  std::uint64_t recreate_unread(const JournalSegment& segment, const std::set<std::uint64_t>& known,
                                const Newest& newest, std::vector<QueuedRecord>* out);

  FileSystem& file_system_;
  OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReader& reader_;
  SegmentWriter& writer_;
  CommitQueue& queue_;
  JournalCounters& counters_;
};

}  // namespace tiercache
