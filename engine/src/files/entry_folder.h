// The files under `<directory>/data`: reading what one path holds, putting a file in its place, and
// making names survive power loss.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "files/directory/workspace.h"
#include "files/entry_files.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache {

struct Envelope;
struct EnvelopeResult;

// What a path holds.
struct FileState {
  enum class Status : std::uint8_t { sound, absent, damaged, misplaced, other_format, failed };
  Status status = Status::absent;
  // Set if the file is sound. The entry has no document if only the header was read.
  EntryId id;
  EntryPtr entry;
  std::uint64_t size = 0;  // bytes of the document
  std::string why;         // if it is not sound
  IoStatus io;             // if it is `failed`

  bool is_corrupt() const { return status == Status::damaged || status == Status::misplaced; }
};

struct FoundFile {
  std::string path;
  FileInfo info;
};

// Paths given here are relative to `data/`, as `entry_path` makes them. Thread-safe.
class EntryFolder {
 public:
  EntryFolder(FileSystem& file_system, std::string directory, std::string project,
              std::size_t max_file_bytes, std::shared_ptr<Quarantine> quarantine);

  Workspace& workspace() { return workspace_; }
  const Workspace& workspace() const { return workspace_; }
  // Takes a slot, and makes `data/`, which is there as long as the cache is open.
  IoStatus open(bool* alone);
  // False when the slot or `data/` is gone: somebody has deleted the directory, or part of it.
  bool stands() const;
  // Called when the directory has become another one: the slot is given up, and nothing is known
  // any more to survive power loss.
  void leave();
  // Reads and verifies the whole file. With `asked` only that key's entry is sound, without it only
  // one whose key leads to this path; any other entry is `misplaced`.
  FileState read(const std::string& path, const EntryId* asked) const;
  // Reads and verifies only the header.
  FileState read_header(const std::string& path, const EntryId* asked) const;

  // Runs `act` while no other thread or process may change the path. Returns EAGAIN if another
  // process is changing it just now.
  IoStatus in_turn(const std::string& path, const std::function<void()>& act);

  // The next three may be called only in the path's turn.

  // Moves a corrupt file aside and counts it.
  IoStatus quarantine(const std::string& path, const FileState& state);
  // Puts a staged file in the path's place and removes the one that was there; readers see either
  // the old one or the new one. If it fails the staged file is discarded.
  IoStatus place(const std::string& temp, const std::string& path);
  IoStatus remove(const std::string& path);

  // Finds out whether one syncfs is enough on this disk. Called before anything is written there.
  void look_at_disk();
  // False if staged files have to be synced one by one.
  bool syncs_together() const { return !one_by_one_.load(); }
  // Makes the names in these paths' directories survive power loss, and those of the directories
  // above them up to the root of ours.
  IoStatus sync_names(const std::set<std::string>& paths);
  // Makes everything that this process has written so far survive power loss; where one syncfs does
  // it, also everything that others have written.
  IoStatus sync_all();
  std::uint64_t failed_syncs() const { return failed_syncs_.load(); }

  // Visits every file whose path looks like an entry's, dataset by dataset.
  IoStatus walk(const std::function<void(FoundFile)>& visit) const;
  // The same for one dataset, with the paths alone.
  IoStatus walk_names(const std::string& dataset,
                      const std::function<void(const std::string& path)>& visit) const;
  // Tells the system that the headers of these files will be read soon.
  void will_read(const std::vector<FoundFile>& files) const;
  // The print of the file as it is now; 0 if the system does not say.
  FilePrint print(const std::string& path) const;
  // The time by the file system's own clock, which stamps files; 0 if it cannot be asked.
  FileTime file_time();

  QuarantineCounts quarantine_counts() const;

 private:
  static constexpr std::size_t kStripes = 64;

  std::string full(const std::string& path) const { return data_ + "/" + path; }
  FileState judge(const EnvelopeResult& result, Envelope& envelope, const std::string& path,
                  const EntryId* asked) const;
  IoStatus read_front(const std::string& path, std::size_t size, std::string* out) const;
  IoStatus rename(const std::string& temp, const std::string& path);
  void changed(const std::string& path);
  IoStatus sync_each();
  IoStatus walk_shard(const std::string& shard, const std::function<void(FoundFile)>& visit) const;

  FileSystem& file_system_;
  const std::string directory_;
  const std::string data_;
  const std::string project_;
  const std::size_t max_file_bytes_;
  Workspace workspace_;
  std::array<Mutex, kStripes> stripes_;
  std::atomic<bool> can_exchange_{true};
  std::atomic<std::uint64_t> failed_syncs_{0};
  std::atomic<std::uint64_t> damaged_{0};
  std::atomic<std::uint64_t> misplaced_{0};
  Mutex mutex_;
  // Directories whose names, and those of all their parents, are known to survive power loss.
  std::set<std::string> rooted_ TIERCACHE_GUARDED_BY(mutex_);
  // True if one syncfs would do nothing, as on a network file system. Then the files that were
  // changed since the last sync have to be known.
  std::atomic<bool> one_by_one_{false};
  std::set<std::string> changed_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
