// The calls of `Outbox`: lists what waits for the store or was refused by it for good, and retries
// or discards what was refused.
#pragma once

#include <span>
#include <vector>

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/writing/store_writer.h"
#include "tiercache/outbox.h"

namespace tiercache::detail {

// Thread-safe. `list`, `retry` and `discard` throw `Closed` once the cache has begun to close.
class OutboxCalls {
 public:
  OutboxCalls(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
              StoreWriter& store_writer)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        store_writer_(store_writer) {}

  // Lists what the store has not settled, pending or parked.
  OutboxPage list(const OutboxQuery& query) const;
  // Returns false if nothing of it is parked. What is retried goes to the store once `send_retried`
  // is called.
  bool retry(const OutboxId& id);
  // Blocks: syncs the journal.
  void send_retried();
  // Gives the writes up: the local tiers take the store's rows in their stead, then the journal
  // lets go of them. That lasts once `forget_discarded` has returned true; it returns false if it
  // could not write by `deadline`.
  //
  // Blocks: both do I/O, and `discard` calls the store; call on the user's thread.
  std::vector<OutboxOutcome> discard(std::span<const OutboxId> ids, SteadyTime deadline);
  bool forget_discarded(SteadyTime deadline);

 private:
  struct EntryVersion {
    EntryId id;
    Version version;
  };
  std::vector<EntryId> ids_of(const OutboxWrite& parked) const;
  std::vector<OutboxOutcome> take_rows_instead(std::span<const EntryVersion> ours,
                                               SteadyTime deadline);
  void report_not_discarded(const EntryId& id, const IoStatus& status);
  OutboxOutcome let_go(const OutboxId& id);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  StoreWriter& store_writer_;
};

}  // namespace tiercache::detail
