// An index of live records over two segments.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/journal/format/records.h"
#include "journal/live/live_index.h"

namespace tiercache::testing {

// An index over segments 1 and 2; each record gets the next place.
class LiveIndexTest : public ::testing::Test {
 protected:
  LiveIndexTest() {
    index.add_segment(1);
    index.add_segment(2);
  }
  Place add(const Record& record, std::uint64_t segment = 1) {
    const Place place{segment, next_offset_, 64};
    next_offset_ += 64;
    index.add(record, place);
    return place;
  }
  void settle(const SlotName& slot, std::uint64_t version, const Clocks& sent = {}) {
    index.settle(slot, at(version), sent, true);
  }
  void sync_file(const std::string& key, std::uint64_t version, const Clocks& clocks_of_file = {}) {
    index.file_written(id_of(key), at(version), clocks_of_file);
    index.files_synced(index.files_mark());
  }
  std::vector<SlotPlaces> take(std::size_t limit = 100) { return index.take(limit, 1 << 20); }
  static SlotName slot(const std::string& key, RecordKind kind = RecordKind::content) {
    return {kind, id_of(key)};
  }
  // Made without knowledge of what is newer than `seen`.
  static Record guarded(const std::string& key, std::uint64_t version, std::uint64_t seen) {
    Record record = content(key, version, "1");
    record.not_newer_than = at(seen);
    return record;
  }
  static Record parked_marker(const std::string& key, std::uint64_t version,
                              RecordKind subject = RecordKind::content) {
    Record marker;
    marker.kind = RecordKind::parked;
    marker.subject = subject;
    marker.id = id_of(key);
    marker.entry.version = at(version);
    return marker;
  }
  static Record silent_clocks(const std::string& key, std::uint64_t version, const Clocks& moved) {
    Record record = clocks(key, version, moved);
    record.entry.metadata.clear();
    return record;
  }

  LiveIndex index{true};

 private:
  std::uint64_t next_offset_ = 64;
};

}  // namespace tiercache::testing
