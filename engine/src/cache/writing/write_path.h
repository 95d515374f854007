// The way of a write (docs/architecture.md): stamp under the key's lock, journal, memory, then file
// and store behind.
//
//     WriteStamps   which version it gets, and whether it may be made
//     Journal       one sync for all that wait; from here on it is acknowledged
//     memory        replaced, and pinned until its file is there
//     FileWriter    the file, within some 50 ms
//     StoreWriter   the store, and what its answer asks for; `Settlements` tell those who wait
//
// If the disk refuses the journal, the store is asked at once, as the last tier that can make the
// write durable. The room also has `OutboxCalls`, the calls of `Outbox`, and write_receipts.h, the
// receipts that callers get.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/writing/change.h"
#include "cache/writing/settlements.h"
#include "cache/writing/store_writer.h"
#include "cache/writing/write_stamps.h"
#include "tiercache/detail/resident.h"

namespace tiercache::detail {

// Thread-safe.
class WritePath {
 public:
  WritePath(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
            StoreWriter& store_writer, Settlements& settlements, WriteStamps& stamps)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        store_writer_(store_writer),
        settlements_(settlements),
        stamps_(stamps) {}

  using Done = std::function<void(std::vector<ChangeResult>)>;
  // Journals all changes with one sync and makes them visible. `done` is called exactly once: from
  // this call, by another thread that commits or closes the journal, or on the store lane if the
  // disk refused the journal.
  //
  // Blocks: syncs the journal, unless another thread is doing so; waits up to `deadline` for what
  // other processes have under way, if a change is compared; writes files, if half of the memory is
  // pinned. Call on a user's thread or on a lane that may wait for the disk.
  void write(std::vector<Change> changes, std::chrono::milliseconds deadline, Done done);
  // The same for one change.
  void write_one(Change change, std::chrono::milliseconds deadline,
                 std::function<void(const ChangeResult&)> done);
  // Calls `write` and waits for `done`. If that has not come by `deadline`, all results are
  // `unknown`, with version zero, also those of changes that have ended.
  std::vector<ChangeResult> write_and_wait(std::vector<Change> changes,
                                           std::chrono::milliseconds deadline);

  // How long each write took to its result, refreshes and failures included.
  DurationCounter latency;

 private:
  struct Batch;
  void make_room();
  // Called before the write can be sent, so that its answer cannot be missed.
  void expect_settlement(const Change& change);
  void journaled(const std::shared_ptr<Batch>& batch, std::size_t index,
                 const AppendResult& result);
  std::string why_full() const;
  void make_visible(const Change& change);
  void save_in_store_instead(const std::shared_ptr<Batch>& batch, std::size_t index,
                             AppendResult result);
  void finish_one(const std::shared_ptr<Batch>& batch, std::size_t index, ChangeResult result);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  StoreWriter& store_writer_;
  Settlements& settlements_;
  WriteStamps& stamps_;
};

}  // namespace tiercache::detail
