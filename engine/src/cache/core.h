// An open cache: owns the parts of all rooms, hands each what it needs, and opens, flushes and
// closes them in order. What happens in them is told in their own headers:
//
//     runtime/runtime.h         time, log, datasets, tasks: what all use
//     store/store_calls.h       calls into the store
//     local/local_tiers.h       what memory, files and journal know of a key
//     writing/write_path.h      the way of a write
//     refreshing/refreshes.h    the source, and when it is asked
//     upkeep/upkeep.h           what goes on by itself
//     reading/read_op.h         the way of a read
//
// A room knows only lower rooms (docs/architecture.md has the picture), and is listed after them
// here. It tells higher ones what happened by functions that are handed down and connected here.
//
// Beside it in this folder:
//
//     public_api.cc             `Cache`, and the words in which public types are shown to people
//     dataset_reads.cc          `DatasetCore`: the calls of a dataset that read
//     dataset_writes.cc         and those that write
//     outbox.cc                 `Outbox`
//     report.cc                 `Core::stats` and `Core::health`
//     config_check.h            refuses what cannot work: options, names, keys
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/annotations.h"
#include "base/mutex.h"
#include "cache/config_check.h"
#include "cache/local/corrupt_rows.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_events.h"
#include "cache/local/local_tiers.h"
#include "cache/reading/background_reads.h"
#include "cache/reading/read_op.h"
#include "cache/refreshing/refreshes.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/store/store_reader.h"
#include "cache/upkeep/file_bounds.h"
#include "cache/upkeep/upkeep.h"
#include "cache/writing/outbox_calls.h"
#include "cache/writing/settlements.h"
#include "cache/writing/store_writer.h"
#include "cache/writing/write_path.h"
#include "cache/writing/write_receipts.h"
#include "cache/writing/write_stamps.h"
#include "refresh/single_flight.h"
#include "tiercache/options.h"
#include "tiercache/scrub.h"
#include "tiercache/stats.h"

namespace tiercache::detail {

// Made by `open`, shared by handles and by tasks on the executor. Thread-safe. Blocks: all calls
// but `stats` and `health`, each as its public namesake does; call on a user's thread.
class Core {
 public:
  // Throws BadConfiguration and BadDirectory.
  static std::shared_ptr<Core> open(CacheOptions options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  DatasetState& open_dataset(const std::string& name, DatasetPolicy policy);
  // The calls of `Cache` of the same names.
  bool flush(SteadyTime deadline);
  bool warm_up(SteadyTime deadline);
  bool accept_store();
  ScrubReport scrub(const ScrubOptions& options);
  CloseReceipt close(std::chrono::milliseconds deadline);
  Stats stats() const;
  Health health() const;

  // For the files of this folder alone, which are at the top of all rooms with this.
  Runtime& runtime() { return runtime_; }
  const Runtime& runtime() const { return runtime_; }
  const KeyRules& key_rules() const { return key_rules_; }
  LocalTiers& local() { return *local_; }
  const LocalTiers& local() const { return *local_; }
  const StoreCalls& store_calls() const { return *calls_; }
  Settlements& settlements() { return settlements_; }
  StoreWriter& store_writer() { return *store_writer_; }
  const StoreWriter& store_writer() const { return *store_writer_; }
  WritePath& writes() { return *writes_; }
  OutboxCalls& outbox_calls() { return *outbox_calls_; }
  Refreshes& refreshes() { return *refreshes_; }
  const ReadParts& read_parts() const { return *read_parts_; }
  StoreOutlook store_outlook() const { return {runtime_, *calls_, *identity_, *store_writer_}; }

 private:
  explicit Core(CacheOptions options);
  // Called when the last owner lets go. In a forked child nothing is destroyed, because all of it
  // is the parent's.
  static void delete_unless_forked(Core* core);
  void make_parts();
  void connect_parts();
  void start_parts();
  CloseReceipt shut_down(SteadyTime deadline);
  void finish_lane(Lane lane);

  Runtime runtime_;
  const KeyRules key_rules_;
  LocalEvents local_events_;
  Settlements settlements_;
  // Made once the core has an owner, in this order.
  std::optional<LocalTiers> local_;
  std::optional<FileWriter> file_writer_;
  std::optional<FileBounds> bounds_;
  std::optional<CorruptRows> corrupt_rows_;
  std::optional<StoreCalls> calls_;
  std::optional<StoreIdentity> identity_;
  std::optional<PurgeHorizon> horizon_;
  std::optional<StoreReader> store_reader_;
  std::optional<StoreWriter> store_writer_;
  std::optional<WriteStamps> stamps_;
  std::optional<WritePath> writes_;
  std::optional<OutboxCalls> outbox_calls_;
  std::optional<SingleFlight> flights_;
  std::optional<Turns> turns_;
  std::optional<Answers> answers_;
  std::optional<Refreshes> refreshes_;
  std::optional<ReadParts> read_parts_;
  std::optional<BackgroundReads> background_reads_;
  std::optional<Upkeep> upkeep_;

  Mutex mutex_;
  std::optional<CloseReceipt> receipt_ TIERCACHE_GUARDED_BY(mutex_);
  bool closing_ TIERCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace tiercache::detail
