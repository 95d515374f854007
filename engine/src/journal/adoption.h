// Recovery: taking over the folders of owners that died, or that closed with writes left.
//
//     for each folder whose lock is free     lock it, and read its segments into the table
//     once all are read                      judge: what is settled or parked is known only now
//     tell the journal's owner               each live record, oldest version first
//     small leftovers                        are copied forward at once, and the folders go
//
// A folder stays as it is until its records are somewhere else, so adopting needs no room and can
// lose nothing. A folder that cannot be read to its end is let go of as a whole, for a later try or
// for somebody who can read it. One process adopts at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/quarantine.h"
#include "journal/compaction.h"
#include "journal/format/segment.h"
#include "journal/segments/journal_counters.h"
#include "journal/segments/journal_types.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"

namespace tiercache {

// Owned by the journal. Thread-safe: what an adoption has met is in a `Replay` of its own, the rest
// is in the table, and the lock `adopting` on the disk keeps a second adoption out, also one of
// another thread.
class FolderAdoption {
 public:
  FolderAdoption(FileSystem& file_system, const JournalOptions& options, Quarantine& quarantine,
                 SegmentTable& table, RecordReader& reader, Compaction& compaction,
                 JournalCounters& counters)
      : file_system_(file_system),
        directory_(options.directory),
        own_name_(options.name),
        small_bytes_(options.segment_bytes),
        quarantine_(quarantine),
        table_(table),
        reader_(reader),
        compaction_(compaction),
        counters_(counters) {}

  // As `Journal::adopt`.
  using Recovered = std::function<void(const Record&)>;
  using AllRecovered = std::function<void()>;
  IoStatus adopt(const Recovered& recovered, const AllRecovered& all_recovered);

 private:
  struct Replay;

  // True if the directory has no other folder than this journal's own.
  bool nobody_left_anything() const;

  // Locks the folder and reads it. Success also if somebody else has it, or it is gone.
  IoStatus adopt_folder(const std::string& path, Replay* replay);
  IoStatus adopt_segment(const std::shared_ptr<JournalFolder>& of, std::uint64_t number,
                         Replay* replay);
  // Adds what the frame says to the index, or to the replay if it can only be judged later.
  void replay_frame(const FoundFrame& found, const JournalSegment& segment, std::string_view bytes,
                    Replay* replay);
  // Counts the bytes as corrupt and copies them to the quarantine. True if they are safe there.
  bool keep_aside(const JournalFolder& of, std::uint64_t number, std::uint64_t offset,
                  std::string_view bytes);
  // Lets go of a folder that cannot be read to its end, and of what was read in it.
  void forget(const JournalFolder& of, Replay* replay);

  // Settles and parks what the notes and markers say.
  void judge(const Replay& replay);
  // Reads each live record and tells it to `recovered`. `*live_bytes` is then the size of all of
  // them. The answer is the first error of the disk; folders with such records are let go of.
  IoStatus tell(const Recovered& recovered, Replay* replay, std::uint64_t* live_bytes);
  void forget_folders_of(std::span<const SlotPlaces> unread, Replay* replay);
  // Unpins the segments and removes the folders in which nothing is live.
  void remove_emptied(const Replay& replay);

  FileSystem& file_system_;
  const std::string directory_;
  const std::string own_name_;
  const std::uint64_t small_bytes_;  // leftovers of up to this size are copied forward at once
  Quarantine& quarantine_;
  SegmentTable& table_;
  RecordReader& reader_;
  Compaction& compaction_;
  JournalCounters& counters_;
};

}  // namespace tiercache
