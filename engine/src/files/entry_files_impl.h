// What `EntryFiles` is made of. entry_opening.cc loads and saves the index, entry_files.cc reads,
// entry_writing.cc decides what a write does to a file.
//
// How an entry gets into its file. A write never changes a file that readers may see; it puts a new
// one in its place:
//
//     stage   The bytes are written to `tmp/<slot>/<n>`, and synced unless the journal has them.
//     turn    The key's lock is taken, and the version that is there decides: an older one is
//             replaced, an equal one is merged with the new one, a newer one stays.
//     place   The staged file and the one in `data/` change places; the older one is deleted.
//     tell    The other processes' memory (`Generations`) and the index learn of the change.
//
// A reader takes no lock, and sees the whole old file or the whole new one. `write_synced` stages
// many files first, syncs all of them with one syncfs if the disk has one, and takes each key's
// turn afterwards. If the file has changed in between and other bytes are wanted, they are staged
// again.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "files/entry_files.h"
#include "files/entry_folder.h"
#include "files/index_saving.h"

namespace tiercache {

inline constexpr Version kAnyVersion = {std::numeric_limits<std::uint64_t>::max(),
                                        std::numeric_limits<std::uint32_t>::max()};

inline FileWriteResult failed(int error, std::string what) {
  return {FileWriteResult::Status::failed, nullptr, {error, std::move(what)}};
}

inline FileWriteResult outcome(IoStatus io) {
  if (io.ok()) return {};
  const FileWriteResult::Status status =
      io.error == EAGAIN ? FileWriteResult::Status::busy : FileWriteResult::Status::failed;
  return {status, nullptr, std::move(io)};
}

inline IndexItem index_item(const Entry& entry, std::uint64_t size, FilePrint print = 0) {
  return {entry.kind, entry.version, entry.checksum, size, entry.clocks, print};
}

// A file that was written before its key's turn, and the entry in it.
struct Staged {
  Entry entry;
  std::string temp;  // empty if there is no such file, or it was used
};

struct EntryFiles::Impl {
  Impl(FileSystem& fs, std::string root, std::string project_name, std::size_t max_bytes,
       std::shared_ptr<Quarantine> quarantine, std::shared_ptr<Generations> counters)
      : file_system(fs),
        directory(std::move(root)),
        project(std::move(project_name)),
        max_file_bytes(max_bytes),
        generations(std::move(counters)),
        folder(fs, directory, project, max_bytes, std::move(quarantine)) {}

  FileSystem& file_system;
  const std::string directory;
  const std::string project;
  const std::size_t max_file_bytes;
  const std::shared_ptr<Generations> generations;  // may be null
  mutable EntryFolder folder;
  Index index;
  std::atomic<bool> writable{false};
  // False from `leave` until `filled`: files that were deleted may be missing still.
  std::atomic<bool> whole{true};
  std::atomic<std::uint64_t> headers_read{0};   // by the last look at all files
  std::atomic<std::uint64_t> changes_saved{0};  // `index.changes()` when it was saved last
  mutable Mutex away_mutex;
  IoStatus away TIERCACHE_GUARDED_BY(away_mutex);
  Mutex saving_mutex;
  std::unique_ptr<IndexSaving> saving TIERCACHE_GUARDED_BY(saving_mutex);

  std::string index_path() const { return directory + "/index"; }
  std::string saved_path() const { return directory + "/index.saved"; }
  std::string shared_path() const { return directory + "/index.shared"; }

  IoStatus take_slot();
  void stay_away(const IoStatus& why);
  IoStatus load_index(bool* complete);
  IoStatus put_index_aside(bool complete);
  bool read_index(const std::string& path, Index* out, FileTime* trusted_to) const;
  IoStatus index_files();
  IoStatus take_into_index(const std::string& path, FilePrint print);
  bool is_save_due() const;
  void begin_saving(FileTime trusted_to);
  IoStatus go_on_saving(bool* more);
  void abandon_saving();
  IoStatus leave_index();
  bool can_miss(const EntryId& id) const;
  IoStatus write_index(FileTime trusted_to);
  bool look_again(const std::string& path, const EntryId* id);

  void tell_others(const EntryId& id);
  void know(const EntryId& id, const std::string& path, const Entry& entry, std::uint64_t size);
  FileState standing(const EntryId& id, const std::string& path, Version compared_with);
  IoStatus stage(const EntryId& id, const Entry& entry, Workspace::Durability durability,
                 std::string* temp);
  IoStatus prepare(const EntryId& id, const Entry& entry, Sync sync, Staged* staged);
  FileWriteResult take_turn(const EntryId& id, const Entry& entry, Sync sync, Staged* staged);
  FileWriteResult apply(const EntryId& id, const Entry& entry, Sync sync, Staged* staged);
  FileWriteResult apply_to_known(const EntryId& id, const std::string& path, const Entry& entry,
                                 const FileState& there, Sync sync, Staged* staged);
  FileWriteResult replace(const EntryId& id, const std::string& path, const Entry& entry,
                          Workspace::Durability durability, Staged* staged);
  FileWriteResult rewrite(const EntryId& id, const Entry* entry);
  FileWriteResult remove(const EntryId& id, Version up_to);
  bool refuses(FileWriteResult* result) const;
};

}  // namespace tiercache
