// What a round of the group commit makes of the records that were queued: some are refused, clocks
// are merged with those before them, and what was left behind by a failure goes along.
#pragma once

#include <cstdint>
#include <vector>

#include "journal/own_folder.h"
#include "journal/queued_record.h"
#include "journal/segment_table.h"
#include "journal/segment_writer.h"

namespace tiercache {

// Not thread-safe: it belongs to the thread whose turn it is to write.
class RoundWriter {
 public:
  // `max_bytes`: of live records; at it a record that adds to them is `full`.
  RoundWriter(FileSystem& file_system, std::uint64_t max_bytes, const OwnFolder& own_folder,
              SegmentTable& table, SegmentWriter& writer)
      : file_system_(file_system),
        max_bytes_(max_bytes),
        own_folder_(own_folder),
        table_(table),
        writer_(writer) {}

  // Writes the batch and fills in its results.
  void write(std::vector<QueuedRecord>* batch, Sync sync);

 private:
  bool refuse_without_folder(std::vector<QueuedRecord>* batch) const;
  // Answers what cannot be written; the rest is `durable` for now.
  std::vector<QueuedRecord*> admit(std::vector<QueuedRecord>* batch);
  // A clocks record replaces the one before it, so it must say all that one said.
  void merge_clocks(std::vector<QueuedRecord>* batch);
  void merge_with_live_clocks(Record* record);

  FileSystem& file_system_;
  const std::uint64_t max_bytes_;
  const OwnFolder& own_folder_;
  SegmentTable& table_;
  SegmentWriter& writer_;
};

}  // namespace tiercache
