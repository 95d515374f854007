// Reads single records back from the places where they lie.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "journal/format/record.h"
#include "journal/live/live_index.h"
#include "journal/segments/journal_folder.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Reads frames from several segments and opens each of them at most once. Made on the stack for a
// batch of reads; not thread-safe. Its user pins the segments while it holds the table's lock, and
// unpins them when it has read.
class PlaceReader {
 public:
  explicit PlaceReader(FileSystem& file_system) : file_system_(file_system) {}

  // Remembers the segments in which these places lie. To be called under the table's lock.
  void add(const std::vector<Place>& places, const SegmentMap& segments);
  // Reads one record and checks it. EILSEQ if its bytes fail the checksum or are no record.
  IoStatus read(const Place& place, Record* out, std::uint64_t* sequence = nullptr);
  // Reads the record of a slot. Where it has several places, which is so for clocks, the records
  // are merged into one.
  IoStatus read(const std::vector<Place>& places, Record* out);

 private:
  struct Source {
    SegmentPtr segment;
    std::unique_ptr<File> file;
  };

  FileSystem& file_system_;
  std::map<std::uint64_t, Source> sources_;
};

}  // namespace tiercache
