// What the journal's tests share: a journal on a disk in memory, and records in one line.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache::testing {

inline constexpr char kDirectory[] = "/cache/journal";
// The cache's directory is there before its journal.
inline constexpr char kMarker[] = "/cache/tiercache.json";

inline Version at(std::uint64_t time) {
  return {time, 1};
}

inline WallTime ms(std::int64_t since_epoch) {
  return WallTime(std::chrono::milliseconds(since_epoch));
}

inline EntryId id_of(const std::string& key) {
  return {"d", key};
}

inline Record content(const std::string& key, std::uint64_t version, const std::string& document) {
  Record record;
  record.id = id_of(key);
  record.entry.version = at(version);
  record.entry.document = std::make_shared<std::string>(document);
  record.entry.checksum = Checksum::of(document);
  return record;
}

inline Record tombstone(const std::string& key, std::uint64_t version) {
  Record record;
  record.id = id_of(key);
  record.entry.kind = EntryKind::tombstone;
  record.entry.version = at(version);
  return record;
}

inline Record clocks(const std::string& key, std::uint64_t version, const Clocks& moved) {
  Record record;
  record.kind = RecordKind::clocks;
  record.id = id_of(key);
  record.entry.version = at(version);
  record.entry.clocks = moved;
  return record;
}

inline Record erase_matching(const std::string& glob, std::uint64_t version) {
  Record record;
  record.kind = RecordKind::erase_matching;
  record.id = id_of(glob);
  record.entry.version = at(version);
  return record;
}

// A document of about `bytes` bytes that tells which one it is.
inline std::string document(const std::string& of, std::size_t bytes = 40) {
  std::string text = "{\"of\":\"" + of + "\",\"pad\":\"";
  if (text.size() + 2 < bytes) text.append(bytes - text.size() - 2, 'x');
  return text + "\"}";
}

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

// Paths of segment files on the disk.
inline std::vector<std::string> segment_files(const MemoryDisk& disk) {
  std::vector<std::string> found;
  for (const std::string& path : disk.files()) {
    if (path.ends_with(".seg")) found.push_back(path);
  }
  return found;
}

inline std::vector<std::string> quarantined_files(const MemoryDisk& disk) {
  std::vector<std::string> found;
  for (const std::string& path : disk.files()) {
    if (path.find("/quarantine/") != std::string::npos) found.push_back(path);
  }
  return found;
}

}  // namespace tiercache::testing
