// Finishes what stopped caches left in the directory: at open, and within seconds after another
// process on it has died. Their journals are read into the files, and what the store has not
// settled is sent from this cache's own journal.
#pragma once

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/upkeep/directory_keeper.h"
#include "cache/writing/store_writer.h"

namespace tiercache::detail {

// Thread-safe, but for `open_journal`. Blocks: `open_journal` and `adopt`, which read whole
// journals and sync files; call on the disk lane, on the thread that opens the cache, or on that of
// a write that waits for just this.
class OrphanAdoption {
 public:
  OrphanAdoption(Runtime& runtime, LocalTiers& local, FileWriter& file_writer,
                 DirectoryKeeper& directory_keeper, StoreWriter& store_writer)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        directory_keeper_(directory_keeper),
        store_writer_(store_writer) {}

  // Opens the journal and adopts what earlier openings of the directory have left. If another
  // process is adopting just that, it is waited for. Throws BadDirectory.
  void open_journal();
  // Adopts what is there now. Returns false if another process is adopting it, if it cannot be
  // read, or if the directory does not stand.
  bool adopt();
  // From now on adopts every few seconds.
  void start();

 private:
  void take_over(const IoStatus& status);
  void note(const IoStatus& status);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  DirectoryKeeper& directory_keeper_;
  StoreWriter& store_writer_;
};

}  // namespace tiercache::detail
