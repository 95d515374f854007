// A journal on a disk in memory, whose owner can die and come back.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/format/records.h"
#include "engine/journal/segments/journal_disk.h"
#include "journal/journal.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

inline UnsettledWrite write_of(const Record& record) {
  UnsettledWrite write;
  write.kind = record.kind;
  write.write.id = record.id;
  write.write.entry = record.entry;
  return write;
}

// A journal whose owner can die and come back.
class JournalOnDisk {
 public:
  explicit JournalOnDisk(MemoryDisk& disk, JournalOptions journal_options = small())
      : disk_(disk), options(std::move(journal_options)) {
    std::string there;
    if (!disk_.read(kMarker, &there)) disk_.write(kMarker, "");
  }

  static JournalOptions small() {
    JournalOptions small_options;
    small_options.directory = kDirectory;
    small_options.segment_bytes = 4096;
    return small_options;
  }

  // A new life. What was recovered is in `recovered`.
  IoStatus open() {
    journal.reset();
    recovered.clear();
    options.name = "life-" + std::to_string(++lives_);
    return Journal::open(
        disk_.boot(), options, [this](const Record& record) { recovered.push_back(record); },
        &journal);
  }
  void kill() {
    disk_.kill();
    journal.reset();
  }

  // Appends and commits; the answer.
  AppendResult put(Record record) {
    std::optional<AppendResult> answer;
    journal->append(std::move(record), [&](const AppendResult& result) {
      EXPECT_FALSE(answer.has_value()) << "answered twice";
      answer = result;
    });
    EXPECT_TRUE(journal->commit());
    EXPECT_TRUE(answer.has_value()) << "not answered";
    return answer.value_or(AppendResult{AppendStatus::not_applied, {}});
  }
  void settle(const Record& record) { journal->settled(write_of(record)); }
  void sync_files(const Record& record) {
    if (record.kind == RecordKind::erase_matching) {
      journal->files_erased(record.id, record.entry.version);
    } else {
      journal->file_written(record.id, record.entry.version, record.entry.clocks);
    }
    journal->files_synced(journal->files_mark());
  }
  void finish(const Record& record) {
    settle(record);
    sync_files(record);
  }

  const Record* recovered_content(const std::string& key) const {
    return recovered_of(RecordKind::content, key);
  }
  const Record* recovered_of(RecordKind kind, const std::string& key) const {
    for (const Record& record : recovered) {
      if (record.kind == kind && record.id == id_of(key)) return &record;
    }
    return nullptr;
  }

  MemoryDisk& disk_;
  JournalOptions options;
  std::unique_ptr<Journal> journal;
  std::vector<Record> recovered;

 private:
  int lives_ = 0;
};

// A journal that the test opens, when and as often as it likes.
class JournalOnDiskTest : public ::testing::Test {
 protected:
  Journal& journal() { return *log.journal; }
  std::vector<UnsettledWrite> take(std::size_t limit = 100) {
    return journal().take_unsettled(limit, 1 << 20);
  }
  // After a kill.
  void reopen() {
    log.kill();
    ASSERT_TRUE(log.open().ok());
  }

  MemoryDisk disk;
  JournalOnDisk log{disk};
};

// One that is open from the start.
class OpenJournalTest : public JournalOnDiskTest {
 protected:
  OpenJournalTest() { EXPECT_TRUE(log.open().ok()); }
};

}  // namespace tiercache::testing
