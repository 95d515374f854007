// Step 5 of a write: brings what the journal holds into the store, and does with the local tiers
// what the store's answers ask for. It is in this room and not in `store`, because its work is on
// the local tiers. The sending itself is the drain's (outbox_drain.h), which asks and tells here:
//
//     the drain                            here
//     may this be sent?                    is the store the directory's; was the key erased
//                                          meanwhile, so that a tombstone goes in its stead
//     saved                                its file is restored if another process's write, which
//                                          the store then refused, has replaced it
//     superseded: the store has newer      the local tiers take it, or give up theirs for it
//     refused: parked                      the log is told
//     whatever became of it                the calls that wait for it are told
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/writing/settlements.h"
#include "outbox/outbox_drain.h"
#include "tiercache/outbox.h"

namespace tiercache::detail {

// Thread-safe. Without a store nothing is sent: `wake`, `kick`, `hurry` and `stop` do nothing, and
// `is_idle` is true.
//
// Blocks: `take_winner` calls the store and syncs files, `send_again` syncs the journal. The drain
// has both called on the store lane; others may call them on any thread that may wait. The rest
// returns at once.
class StoreWriter {
 public:
  StoreWriter(Runtime& runtime, LocalTiers& local, FileWriter& file_writer, StoreCalls& calls,
              StoreIdentity& identity, Settlements& settlements)
      : runtime_(runtime),
        local_(local),
        file_writer_(file_writer),
        calls_(calls),
        identity_(identity),
        settlements_(settlements) {}

  // Begins to send, once the journal is open.
  void start();
  // There is something to send.
  void wake();
  // Sends at once, whatever the breaker says, and, without background retry, what was left.
  void kick();
  // The store works again.
  void hurry();
  // Whether nothing is in flight and nothing unsettled; true without a store.
  bool is_idle() const;
  void stop();
  bool sends() const { return drain_ != nullptr; }
  // Describes a pending write that was tried alone, for a person; empty for others.
  std::string describe_slow(const OutboxWrite& write) const;
  // How many writes were settled so far, those that were refused not counted.
  std::uint64_t settled() const { return settled_.load(); }

  // The store refused our write of `ours` for `winner` (null: none): the local tiers take that
  // instead, also where a guarded write's version is above it, unless a later write is there
  // already.
  void take_winner(const EntryId& id, Version ours, const EntryPtr& winner);
  // Sends the store once more what the key's file has, as a write of its own version, so that
  // whatever came later still wins. `done` is called once that is journaled. If the journal still
  // holds this version as confirmed, nothing is sent; call again once the file is synced and the
  // store still lacks it.
  void send_again(const EntryId& id, const Entry& entry, std::optional<Version> guard,
                  Journal::Done done);
  // Calls `fn` once, when the key's write of `version` is no longer on its way to the store,
  // whatever became of it, or at `deadline`; at once, from this call, if it is not on its way. `fn`
  // must be short. Otherwise the outbox is sent right away, whatever the breaker says (`kick`).
  void when_settled(const EntryId& id, Version version, SteadyTime deadline,
                    std::function<void()> fn);

 private:
  DrainEvents events();
  void on_settled(const UnsettledWrite& write, const SaveResult& result);
  bool may_settle(const UnsettledWrite& write, const EntryPtr& winner);
  bool sends_tombstone_instead(const UnsettledWrite& write);
  bool send_lost(const EntryId& id, const Entry& moved);
  EntryPtr newest_row(const EntryId& id, const EntryPtr& winner);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  StoreCalls& calls_;
  StoreIdentity& identity_;
  Settlements& settlements_;
  std::shared_ptr<OutboxDrain> drain_;  // null without a store, and before `start`
  std::atomic<std::uint64_t> settled_{0};
};

}  // namespace tiercache::detail
