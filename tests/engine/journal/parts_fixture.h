// The lower parts of a journal on a disk in memory, put together without it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/journal_fixture.h"
#include "journal/journal_counters.h"
#include "journal/own_folder.h"
#include "journal/queued_record.h"
#include "journal/record_reader.h"
#include "journal/segment_table.h"
#include "journal/segment_writer.h"

namespace tiercache::testing {

class JournalPartsTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kSegmentBytes = 1024;

  // The cache's directory is there before its journal.
  JournalPartsTest() { disk.write(kMarker, ""); }

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
