// Brings what stopped caches had journaled into the entry files: at open, and when another process
// on the directory has died.
//
// Nothing here relies on the journal that is read: its last records may be in the page cache alone,
// when a process was killed before its sync, or after one that failed. A file is therefore synced
// before it takes an older one's place, many at a time, even if the same can be read there already.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "files/entry_files.h"
#include "journal/format/record.h"
#include "tiercache/entry.h"

namespace tiercache::detail {

// Not thread-safe. Blocks: writes and syncs files, and waits for keys that another process is
// writing; call on a thread that may wait for the disk.
class RecoveredWrites {
 public:
  RecoveredWrites(Runtime& runtime, LocalTiers& local, FileWriter& file_writer)
      : runtime_(runtime), local_(local), file_writer_(file_writer) {}

  // Takes a record that the journal has adopted. Its file is written at once, or together with
  // those of the next ones.
  void take(const Record& record);
  // Writes what waits. Must be called before another process may adopt, which relies on the files.
  void write_files();
  // Does the same, and tells the journal what is in the files. What could not be written is left to
  // `LocalTiers::serve_unwritten` and stays in the journal. Returns false if no record was taken.
  bool finish();

 private:
  struct Filed {
    RecordKind kind;
    EntryId id;
    Version version;
    Clocks clocks;
  };

  void take_clocks(const Record& record);
  void add(const Record& record, Entry entry);
  std::vector<FileWriteResult> write_in_turn(
      const std::vector<std::pair<EntryId, EntryPtr>>& entries);
  void forget_in_memory(const Filed& filed);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  bool any_ = false;
  std::map<EntryId, Entry> batch_;
  std::size_t batch_bytes_ = 0;
  std::vector<Filed> waiting_;  // in the batch
  std::vector<Filed> filed_;
};

}  // namespace tiercache::detail
