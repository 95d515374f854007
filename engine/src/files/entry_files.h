// The file tier: one JSON file per entry under `<directory>/data`, and the index of them.
//
// Any number of processes may share the directory. Readers take no lock: a file is replaced by exchange
// or rename, so they see the old one or the new one. Writers of one key exclude each other by a striped
// in-process mutex and a system lock on `<directory>/locks/<stripe>`, and compare versions under it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files/index.h"
#include "tiercache/entry.h"
#include "tiercache/file_system.h"

namespace tiercache {

// The file name of a key, relative to `data/`: percent-encoded and readable where short, a prefix and a
// hash where long; "@" for the empty key. Injective, and never leaves `data/` (I12).
std::string entry_path(const EntryId& id);

struct FileReadResult {
  enum class Status : std::uint8_t {
    found,         // entry is verified (I2); may be a tombstone
    absent,
    corrupt,       // bytes do not hold; moved to quarantine (I9)
    other_format,  // of a newer format: left alone
    failed,        // the file system says no
  };
  Status status = Status::absent;
  EntryPtr entry;
  std::string why;
};

struct FileWriteResult {
  enum class Status : std::uint8_t {
    written,
    newer_there,  // the file is newer and stays; `current` is it
    busy,         // another process holds the key's lock; try again
    failed,       // nothing changed
  };
  Status status = Status::written;
  EntryPtr current;
  IoStatus io;
};

// Thread-safe.
class EntryFiles {
 public:
  // `directory` exists and is ours. Paths below it are made on demand.
  EntryFiles(FileSystem& file_system, std::string directory, std::string project,
             std::size_t max_file_bytes);

  // Reads the index, or rebuilds it from the files' headers when it is missing or wrong. `*rebuilt` tells.
  IoStatus open(bool* rebuilt);
  // Writes the index, so that the next open need not rebuild it.
  IoStatus close();

  FileReadResult read(const EntryId& id);

  enum class Sync : std::uint8_t {
    none,    // the journal holds it: exchange without a sync
    before,  // nothing else holds it: the new file is synced before it takes the old one's place
  };
  // Replaces the key's file unless what is there is newer; equal versions merge clocks. Tombstones are
  // entries too.
  FileWriteResult write(const EntryId& id, const Entry& entry, Sync sync);
  // Many at once with one syncfs before the exchanges (hydration). Results in order.
  std::vector<FileWriteResult> write_synced(std::span<const std::pair<EntryId, EntryPtr>> entries);
  // Removes the key's file if its version is not above `up_to`.
  FileWriteResult remove(const EntryId& id, Version up_to);
  // One syncfs: every file written so far survives power loss.
  IoStatus sync();

  Index& index() { return index_; }
  const Index& index() const { return index_; }
  std::uint64_t quarantined() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
  Index index_;
};

}  // namespace tiercache
