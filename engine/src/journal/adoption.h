// Recovery: taking over the folders of owners that died, or that closed with writes left.
//
//     for each folder whose lock is free     lock it, read its segments into the table
//     once all are read                      what is settled or parked is known only now: judge it
//     tell the owner                         each live record, oldest version first
//     small leftovers                        are copied forward at once, and the folder goes
//
// A folder stays as it is until its records are somewhere else: nothing needs room here, and
// nothing can be lost. One that cannot be read to its end is let go of as a whole, for a later try
// or for somebody who can. One process adopts at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/quarantine.h"
#include "journal/compaction.h"
#include "journal/journal_counters.h"
#include "journal/journal_types.h"
#include "journal/reading.h"
#include "journal/segment.h"
#include "journal/segment_table.h"

namespace tiercache {

// Thread-safe.
class FolderAdoption {
 public:
  FolderAdoption(FileSystem& file_system, const JournalOptions& options, Quarantine& quarantine,
                 SegmentTable& table, RecordReading& reading, Compaction& compaction,
                 JournalCounters& counters)
      : file_system_(file_system),
        directory_(options.directory),
        own_name_(options.name),
        small_bytes_(options.segment_bytes),
        quarantine_(quarantine),
        table_(table),
        reading_(reading),
        compaction_(compaction),
        counters_(counters) {}

  // As `Journal::adopt` says.
  using Recovered = std::function<void(const Record&)>;
  using AllRecovered = std::function<void()>;
  IoStatus adopt(const Recovered& recovered, const AllRecovered& all_recovered);

 private:
  struct Replay;

  bool nobody_left_anything() const;
  // Reading
  IoStatus adopt_folder(const std::string& path, Replay* replay);
  IoStatus adopt_segment(const std::shared_ptr<JournalFolder>& of, std::uint64_t number,
                         Replay* replay);
  void replay_frame(const FoundFrame& found, const JournalSegment& segment, std::string_view bytes,
                    Replay* replay);
  // True when the bytes are safe in quarantine.
  bool keep_aside(const JournalFolder& of, std::uint64_t number, std::uint64_t offset,
                  std::string_view bytes);
  // Lets go of a folder that cannot be read to its end.
  void forget(const JournalFolder& of, Replay* replay);
  // Taking over
  void judge(const Replay& replay);
  IoStatus tell(const Recovered& recovered, Replay* replay, std::uint64_t* live_bytes);
  void let_go_of_folders_of(std::span<const SlotPlaces> unread, Replay* replay);
  void remove_emptied(const Replay& replay);

  FileSystem& file_system_;
  const std::string directory_;
  const std::string own_name_;
  const std::uint64_t small_bytes_;  // leftovers up to this are copied forward at once
  Quarantine& quarantine_;
  SegmentTable& table_;
  RecordReading& reading_;
  Compaction& compaction_;
  JournalCounters& counters_;
};

}  // namespace tiercache
