// Reads single records back from where they lie.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "journal/journal_folder.h"
#include "journal/live_index.h"
#include "journal/record.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Reads frames of several segments, each opened once. Not thread-safe. Whoever adds places has
// pinned their segments, and lets them be once it has read.
class PlaceReader {
 public:
  explicit PlaceReader(FileSystem& file_system) : file_system_(file_system) {}

  // The segments in which these lie.
  void add(const std::vector<Place>& places, const SegmentMap& segments);
  // Reads and verifies one record. EILSEQ when the bytes do not hold.
  IoStatus read(const Place& place, Record* out, std::uint64_t* sequence = nullptr);
  // Reads the record of a slot; clocks records are merged.
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
