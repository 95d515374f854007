// The files under `<directory>/data`: what one path holds, putting a file in its place, and making
// names last.
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
#include "files/entry_files.h"
#include "files/workspace.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache {

struct Envelope;
struct EnvelopeResult;

// What a path holds.
struct FileState {
  enum class Status : std::uint8_t { sound, absent, damaged, misplaced, other_format, failed };
  Status status = Status::absent;
  EntryId id;              // of a sound one
  EntryPtr entry;          // of a sound one; without the document where only the header was read
  std::uint64_t size = 0;  // bytes of the document
  std::string why;
  IoStatus io;  // of `failed`

  bool corrupt() const { return status == Status::damaged || status == Status::misplaced; }
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
  // The directory is another one now: nothing is known to survive power loss, no slot is held.
  void leave();
  // Reads and verifies all of the file. Sound is only what is of `asked`, where given, and else
  // what is of some key with this path: anything else is `misplaced`.
  FileState read(const std::string& path, const EntryId* asked) const;
  // Reads and verifies the header alone.
  FileState read_header(const std::string& path, const EntryId* asked) const;

  // Runs `act` while this thread alone may change the path, in all processes. EAGAIN when another
  // process is at it.
  IoStatus in_turn(const std::string& path, const std::function<void()>& act);

  // These need the path's turn.
  // Moves a corrupt file aside and counts it.
  IoStatus quarantine(const std::string& path, const FileState& state);
  // Puts a staged file in the path's place and removes what was there; readers see one or the
  // other. Where that fails the staged file is discarded.
  IoStatus place(const std::string& temp, const std::string& path);
  IoStatus remove(const std::string& path);

  // Asks whether one syncfs is enough on this disk; before anything is written there.
  void look_at_disk();
  // False: staged files have to be synced one by one.
  bool syncs_together() const { return !one_by_one_.load(); }
  // Makes the names in these paths' directories survive power loss, up to the root of ours.
  IoStatus sync_names(const std::set<std::string>& paths);
  // All that this process has written so far survives power loss, and where one syncfs does it, all
  // that others have.
  IoStatus sync_all();
  std::uint64_t failed_syncs() const { return failed_syncs_.load(); }

  // Every file whose path looks like an entry's, dataset by dataset.
  IoStatus walk(const std::function<void(FoundFile)>& visit) const;
  // The paths of those of one dataset.
  IoStatus walk_names(const std::string& dataset,
                      const std::function<void(const std::string& path)>& visit) const;
  // Their headers will be read soon.
  void will_read(const std::vector<FoundFile>& files) const;
  // Of the file as it is now; 0 where the system does not say.
  FilePrint print(const std::string& path) const;
  // The file system's clock; its beginning where the system does not say.
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
  // Directories whose own names, and their parents', are known to survive power loss.
  std::set<std::string> rooted_ TIERCACHE_GUARDED_BY(mutex_);
  // One syncfs would do nothing here, so that what was changed since the last sync must be known.
  std::atomic<bool> one_by_one_{false};
  std::set<std::string> changed_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
