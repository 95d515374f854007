// The segments of a journal on a disk in memory, put together without it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/format/records.h"
#include "engine/journal/segments/journal_disk.h"
#include "journal/format/segment.h"
#include "journal/segments/journal_counters.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/queued_record.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"
#include "journal/segments/segment_writer.h"

namespace tiercache::testing {

class JournalSegmentsTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kSegmentBytes = 1024;

  // The cache's directory is there before its journal.
  JournalSegmentsTest() { disk.write(kMarker, ""); }

  void open() { ASSERT_TRUE(own_folder.open().ok()); }
  void fail(const std::string& operation, int error, int times = 1) {
    auto left = std::make_shared<int>(times);
    disk.set_fault([=](const std::string& name, const std::string&) {
      return name == operation && (*left)-- > 0 ? error : 0;
    });
  }
  // Writes them in one go; their results.
  std::vector<AppendStatus> write(std::vector<Record> records) {
    std::vector<QueuedRecord> batch;
    for (Record& record : records) batch.push_back(make_queued(std::move(record)));
    writer.write(pointers_to(&batch), Sync::yes);
    std::vector<AppendStatus> results;
    for (const QueuedRecord& one : batch) results.push_back(one.result.status);
    return results;
  }
  void settle(const std::string& key, std::uint64_t version) {
    table.with_index([&](LiveIndex& index) {
      index.settle({RecordKind::content, id_of(key)}, at(version), {}, true);
      index.file_written(id_of(key), at(version), {});
      index.files_synced(index.files_mark());
    });
  }
  // All that may be sent now.
  std::vector<UnsettledWrite> take() {
    return reader.take([](LiveIndex& index) { return index.take(100, 1 << 20); });
  }
  std::vector<std::string> taken() {
    std::vector<std::string> keys;
    for (const UnsettledWrite& write : take()) keys.push_back(write.write.id.key);
    return keys;
  }
  // Where the key's record lies that is live.
  Place place_of(const std::string& key, RecordKind kind = RecordKind::content) {
    return table.with_index([&](LiveIndex& index) {
      const std::vector<Place> places = index.places({kind, id_of(key)});
      EXPECT_EQ(places.size(), 1u);
      return places.at(0);
    });
  }
  // One byte of what lies there is another one from now on.
  void damage(const Place& place) {
    const std::string path = table.with_segments(
        [&](LiveIndex&, const SegmentMap& segments) { return segments.at(place.segment)->path; });
    std::string bytes;
    ASSERT_TRUE(disk.read(path, &bytes));
    bytes.at(place.offset + place.size / 2) ^= 1;
    disk.write(path, bytes);
  }
  // Every record that lies in a segment, live or not, in the order in which they were written:
  // "content a 1".
  std::vector<std::string> on_disk() {
    std::vector<std::string> found;
    table.with_segments([&](LiveIndex&, const SegmentMap& segments) {
      for (const auto& [number, segment] : segments) {
        std::string bytes;
        EXPECT_TRUE(disk.read(segment->path, &bytes));
        for (const FoundFrame& one : read_frames(bytes, segment->salt).frames) {
          Record record;
          EXPECT_TRUE(decode_record(one.frame.payload, &record));
          found.push_back(described(record));
        }
      }
    });
    return found;
  }
  static std::string described(const Record& record) {
    const auto name = [](RecordKind kind) -> std::string {
      switch (kind) {
        case RecordKind::content:
          return "content";
        case RecordKind::clocks:
          return "clocks";
        case RecordKind::erase_matching:
          return "erase";
        case RecordKind::done:
          return "done";
        case RecordKind::parked:
          return "parked";
      }
      return "unknown";
    };
    const bool marks = record.kind == RecordKind::done || record.kind == RecordKind::parked;
    return name(record.kind) + (marks ? " " + name(record.subject) : "") + " " + record.id.key +
           " " + std::to_string(record.entry.version.time) +
           (record.why.empty() ? "" : ": " + record.why);
  }
  JournalStats stats() const {
    JournalStats filled;
    table.fill(&filled);
    return filled;
  }

  MemoryDisk disk;
  std::shared_ptr<FileSystem> files = disk.boot();
  JournalCounters counters;
  OwnFolder own_folder{*files, kDirectory, "life"};
  SegmentTable table{*files, true};
  RecordReader reader{*files, table, counters};
  SegmentWriter writer{*files, kSegmentBytes, 7, own_folder, table, reader, counters};
};

}  // namespace tiercache::testing
