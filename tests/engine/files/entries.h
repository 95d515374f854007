// Entries and their files, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "files/directory/directory.h"
#include "files/entry_files.h"
#include "tiercache/testing/memory_file_system.h"

namespace tiercache {

inline constexpr char kDirectory[] = "/cache";
inline constexpr char kProject[] = "project";
inline constexpr char kSaved[] = "/cache/index.saved";
inline constexpr std::size_t kMaxFileBytes = 1 << 20;

inline const EntryId kId{"d", "k"};

inline WallTime at_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

inline Entry document(std::uint64_t version, std::string text = "{\"a\":1}") {
  Entry entry;
  entry.version = {version, 1};
  entry.checksum = Checksum::of(text);
  entry.document = std::make_shared<const std::string>(std::move(text));
  entry.clocks.last_fetch = at_ms(1'700'000'000'000 + static_cast<std::int64_t>(version));
  return entry;
}

inline Entry tombstone(std::uint64_t version) {
  Entry entry;
  entry.kind = EntryKind::tombstone;
  entry.version = {version, 1};
  return entry;
}

inline EntryPtr shared(Entry entry) {
  return std::make_shared<const Entry>(std::move(entry));
}

inline std::string file_of(const EntryId& id) {
  return std::string(kDirectory) + "/data/" + entry_path(id);
}

// All that is known of all keys, prints apart.
inline std::string contents(const Index& index) {
  std::string out;
  for (const std::string& dataset : index.datasets()) {
    index.for_each(dataset, [&](const std::string& key, const IndexItem& item) {
      const auto time = [](const std::optional<WallTime>& at) {
        return at ? std::to_string(at->time_since_epoch().count()) : std::string("none");
      };
      out += dataset + "/" + key + " " + item.version.to_string() + " " + item.checksum.to_string();
      out += item.kind == EntryKind::tombstone ? " gone " : " " + std::to_string(item.size) + " ";
      out += time(item.clocks.last_fetch) + " " + time(item.clocks.last_rich_fetch) + " " +
             time(item.clocks.invalidated_at) + "\n";
    });
  }
  return out;
}

// The file tier of one process on a disk in memory.
class Tier {
 public:
  explicit Tier(testing::MemoryDisk& disk) : file_system(disk.boot()) {
    open_directory(*file_system, {.path = kDirectory, .project = kProject, .allow_remote = true});
    files = std::make_unique<EntryFiles>(*file_system, kDirectory, kProject, kMaxFileBytes);
    const IoStatus status = files->open(&rebuilt);
    EXPECT_TRUE(status.ok()) << status.what;
  }
  EntryFiles* operator->() { return files.get(); }

  // The document there, "<tombstone>", or in angle brackets why there is none.
  std::string text(const EntryId& id) {
    const FileReadResult result = files->read(id);
    switch (result.status) {
      case FileReadResult::Status::found:
        return result.entry->document ? *result.entry->document : "<tombstone>";
      case FileReadResult::Status::absent:
        return "<absent>";
      case FileReadResult::Status::corrupt:
        return "<corrupt>";
      case FileReadResult::Status::other_format:
        return "<other format>";
      case FileReadResult::Status::failed:
        break;
    }
    return "<failed>";
  }
  std::uint64_t version(const EntryId& id) {
    const FileReadResult result = files->read(id);
    return result.entry ? result.entry->version.time : 0;
  }

  std::shared_ptr<FileSystem> file_system;
  std::unique_ptr<EntryFiles> files;
  bool rebuilt = false;
};

inline bool is_temp(const std::string& path) {
  return path.starts_with(std::string(kDirectory) + "/tmp/");
}

inline int temps(const testing::MemoryDisk& disk) {
  int count = 0;
  for (const std::string& path : disk.files()) count += is_temp(path) ? 1 : 0;
  return count;
}

inline int quarantined_files(const testing::MemoryDisk& disk) {
  int count = 0;
  for (const std::string& path : disk.files()) {
    count += path.starts_with(std::string(kDirectory) + "/quarantine/") ? 1 : 0;
  }
  return count;
}

using ReadStatus = FileReadResult::Status;
using WriteStatus = FileWriteResult::Status;
using Sync = EntryFiles::Sync;

}  // namespace tiercache
