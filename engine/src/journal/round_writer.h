// What one round of the group commit makes of the records that were queued: some are refused,
// clocks records are merged with those before them, and live records of segments that failed go
// along.
#pragma once

#include <cstdint>
#include <vector>

#include "journal/segments/own_folder.h"
#include "journal/segments/queued_record.h"
#include "journal/segments/segment_table.h"
#include "journal/segments/segment_writer.h"

namespace tiercache {

// Owned by the journal. Not thread-safe: it belongs to the thread that has the turn to write.
class RoundWriter {
 public:
  // A record that would bring the live ones over `max_bytes` is answered `full`.
  RoundWriter(FileSystem& file_system, std::uint64_t max_bytes, const OwnFolder& own_folder,
              SegmentTable& table, SegmentWriter& writer)
      : file_system_(file_system),
        max_bytes_(max_bytes),
        own_folder_(own_folder),
        table_(table),
        writer_(writer) {}

  // Writes the batch and fills in the result of each record.
  void write(std::vector<QueuedRecord>* batch, Sync sync);

 private:
  // True if there is no folder to write to; all of the batch is refused then.
  bool refuse_without_folder(std::vector<QueuedRecord>* batch) const;
  // Refuses what is too large or does not fit into the journal, and returns the rest.
  std::vector<QueuedRecord*> admit(std::vector<QueuedRecord>* batch);
  // A clocks record takes the place of the key's last one, which may be live or stand before it in
  // the batch, so everything that one says is merged into it.
  void merge_clocks(std::vector<QueuedRecord>* batch);
  void merge_with_live_clocks(Record* record);

  FileSystem& file_system_;
  const std::uint64_t max_bytes_;
  const OwnFolder& own_folder_;
  SegmentTable& table_;
  SegmentWriter& writer_;
};

}  // namespace tiercache
