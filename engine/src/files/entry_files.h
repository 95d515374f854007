// The file tier: one JSON file per entry under `<directory>/data`, and the index of them.
//
// Any number of processes may share the directory. Readers take no lock: a file is replaced by
// exchange or rename, so they see the old one or the new one. Writers of one key exclude each other
// by a striped in-process mutex and a system lock on `<directory>/locks/<stripe>`, and compare
// versions under it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/generations.h"
#include "base/quarantine.h"
#include "files/index/index.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache {

inline constexpr std::string_view kEntrySuffix = ".json";

// The file of a key, relative to `data/`: percent-encoded and readable where short, a prefix and a
// hash where long; "@" for the empty key. Injective, and never leaves `data/` (I12).
// `docs/formats/` says how.
std::string entry_path(const EntryId& id);
// Takes the key, which may be personal, out of what the disk said about its file (I11).
std::string without_key(std::string text, const EntryId& id);
// The key whose file this path is, without a look at the file; nullopt if the name has a hash or is
// not an entry's.
std::optional<std::string> key_of_path(std::string_view dataset, std::string_view path);

struct FileReadResult {
  enum class Status : std::uint8_t {
    found,  // entry is verified (I2); may be a tombstone
    absent,
    corrupt,       // bytes do not hold, or are another key's; moved to quarantine (I9)
    other_format,  // of a newer format: left alone
    failed,        // the file system says no, or the file is larger than allowed
  };
  Status status = Status::absent;
  EntryPtr entry;
  std::string why;
};

struct FileWriteResult {
  enum class Status : std::uint8_t {
    done,         // what was asked for stands: written, removed, or nothing had to be done
    newer_there,  // the file is newer and stays; `current` is it
    busy,         // another process holds the key's lock; try again
    failed,       // the old entry stands; or the new one, if only the last sync of names failed
  };
  Status status = Status::done;
  EntryPtr current;
  IoStatus io;

  // The file has the entry, or something newer.
  bool is_there() const { return status == Status::done || status == Status::newer_there; }
};

// How many files were moved to quarantine, and why.
struct QuarantineCounts {
  std::uint64_t damaged = 0;    // bytes did not hold
  std::uint64_t misplaced = 0;  // a sound entry of another key or project
};

// Thread-safe, except that `open` and `close` come first and last, and that `leave` and `reopen`
// are called by one thread between them, while others may read and write.
class EntryFiles {
 public:
  // `directory` must exist and be ours; paths below it are made on demand. `quarantine` keeps files
  // that do not hold; null for one of its own, of the default size. `generations` is told of every
  // file that is replaced or removed; may be null.
  EntryFiles(FileSystem& file_system, std::string directory, std::string project,
             std::size_t max_file_bytes, std::shared_ptr<Quarantine> quarantine = nullptr,
             std::shared_ptr<Generations> generations = nullptr);
  ~EntryFiles();
  EntryFiles(const EntryFiles&) = delete;
  EntryFiles& operator=(const EntryFiles&) = delete;

  // Takes the index as a close has left it. Without one every file is looked at, and the headers
  // are read of those that the index saved last does not know as they look now. `*rebuilt` tells
  // whether that was needed. If the disk takes nothing new just now, files are only read; see
  // `away`.
  IoStatus open(bool* rebuilt);
  // Why no file can be written since `open`: the disk has refused what a writer needs, and the
  // cache has no slot. Success if it is a writer.
  IoStatus away() const;
  // Becomes a writer if it is away, and looks at the files as `open` does.
  IoStatus come_back();
  // Writes the index, so that the next open need not look at the files. It does not if other
  // processes have shared the directory since, because the index may lack what they wrote. Writes
  // after this fail with ESHUTDOWN.
  IoStatus close();

  // False if the directory was deleted, replaced or left, and as long as files are only read.
  bool stands() const;
  // Called when the directory is not ours any more. Nothing is written there or moved aside after
  // this.
  void leave();
  // Opens the directory that was made in place of a deleted one; the index then holds what is
  // there. Until `filled` says that it has what is known elsewhere, a key without a file is
  // `failed`, not absent.
  IoStatus reopen();
  void filled();

  FileReadResult read(const EntryId& id);
  // Makes the index take note of the key's file if it is newer than what the index knows, because
  // another process has written it. Fails if the file cannot be read and others may have written
  // it, because they have shared the directory since it was opened.
  IoStatus notice(const EntryId& id);
  // The same for every file of the dataset whose key the index lacks. Lists the dataset's
  // directories if another process has shared ours since it was opened. After an error some of the
  // files may not have been noticed.
  IoStatus notice_all(const std::string& dataset);

  enum class Sync : std::uint8_t {
    none,    // the journal holds the entry, so files are exchanged without a sync
    before,  // nothing else holds it: the new file is synced before it takes the old one's place
    // Like `before`, but written even if the same is there, since that may never have been synced.
    anew,
  };
  // Replaces the key's file unless the one there is newer. Equal versions merge clocks, and because
  // their content may by now exist nowhere else, that file is always synced first. Tombstones are
  // entries too. An entry of kind document that has none only moves clocks: ENODATA unless its
  // version is there.
  FileWriteResult write(const EntryId& id, const Entry& entry, Sync sync);
  // Writes the key's file anew from what a reader gets of it, or from `entry` (null for nothing) if
  // that is newer or the file is damaged. After a failed sync a file's bytes may be missing on the
  // disk although they can still be read, and the next sync would not say so. What `entry` does not
  // hold is synced first. A file of a newer format is left alone, which is `done` too.
  FileWriteResult rewrite(const EntryId& id, const Entry* entry);
  // Writes many at once, with one syncfs before the exchanges if the disk has one that syncs.
  // `sync` must be `before` or `anew`. The results are in order. What is written survives power
  // loss.
  std::vector<FileWriteResult> write_synced(std::span<const std::pair<EntryId, EntryPtr>> entries,
                                            Sync sync = Sync::before);
  // Puts `entry` in place of a file whose version is not above `up_to`, even if that is newer than
  // the entry. Synced.
  FileWriteResult replace(const EntryId& id, Version up_to, const Entry& entry);
  // Removes the key's file if its version is not above `up_to`. Not synced.
  FileWriteResult remove(const EntryId& id, Version up_to);
  // Makes every file written so far survive power loss, by one syncfs if the disk has one that
  // syncs. If the index is due for being saved, saving begins.
  IoStatus sync();
  // Whether so much of the index has changed since it was saved that it should be again.
  bool is_save_due() const;
  // True if `sync` found the index due, and it has not been saved to the end.
  bool is_saving() const;
  // Saves a part of the index, which takes some milliseconds; does nothing if none is being saved.
  // `*more` says whether to call it again.
  IoStatus save_index(bool* more);
  // How many headers were read when all files were last looked at.
  std::uint64_t headers_read() const;
  // How many syncs have failed, those of calls that sync many files on their way included. A failed
  // one leaves in doubt whatever was not synced before it.
  std::uint64_t failed_syncs() const;

  // This cache's number among those that have the directory open, the lowest that was free.
  std::uint64_t slot() const;
  // Runs `act` while no cache has this number. Returns false if one has it.
  bool while_dead(std::uint64_t slot, const std::function<void()>& act);

  Index& index();
  const Index& index() const;
  std::uint64_t quarantined() const;
  QuarantineCounts quarantine_counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tiercache
