// A journal without a folder: one that was deleted while it was open, or that the disk would not
// take when it was opened. Another takes its place, and what can still be had is brought there.
//
// Of a deleted folder three sources are left: the segment written last, through its descriptor;
// what is known without reading (versions, clocks, tombstones); and documents that the caller has
// elsewhere. Until all is brought over nothing else is written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "journal/commit_queue.h"
#include "journal/own_folder.h"
#include "journal/reading.h"
#include "journal/segment_table.h"
#include "journal/segment_writer.h"
#include "tiercache/entry.h"

namespace tiercache {

// Thread-safe.
class FolderRestoring {
 public:
  FolderRestoring(FileSystem& file_system, OwnFolder& own_folder, SegmentTable& table,
                  RecordReading& reading, SegmentWriter& writer, CommitQueue& queue,
                  JournalCounters& counters)
      : file_system_(file_system),
        own_folder_(own_folder),
        table_(table),
        reading_(reading),
        writer_(writer),
        queue_(queue),
        counters_(counters) {}

  // Makes the folder of a journal that is away.
  IoStatus come_back();
  // False where a folder was deleted or replaced, until `restore` is done.
  bool stands() const;
  // The newest entry of a key that the caller has.
  using Newest = std::function<std::optional<Entry>(const EntryId&)>;
  IoStatus restore(const Newest& newest);

 private:
  std::vector<std::shared_ptr<JournalFolder>> folders() const;
  bool leads_to(const JournalFolder& of) const;

  // The following only by the thread whose turn it is.
  IoStatus replace_deleted_folder();
  IoStatus bring_over(const SegmentPtr& segment, const Newest& newest);
  // What cannot be read is made once more. How many could not be, and nobody has them.
  std::uint64_t make_once_more(const JournalSegment& segment, const std::set<std::uint64_t>& known,
                               const Newest& newest, std::vector<QueuedRecord>* out);

  FileSystem& file_system_;
  OwnFolder& own_folder_;
  SegmentTable& table_;
  RecordReading& reading_;
  SegmentWriter& writer_;
  CommitQueue& queue_;
  JournalCounters& counters_;
};

}  // namespace tiercache
