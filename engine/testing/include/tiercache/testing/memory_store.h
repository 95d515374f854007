// A correct store in memory that fails on command. It is the model that other stores are compared
// with.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::testing {

// What a call does.
enum class StoreFault : std::uint8_t {
  none,            // works
  unavailable,     // refuses, and does nothing
  unknown_undone,  // reports `unknown`, and does nothing
  unknown_done,    // reports `unknown`, but does its work
};

// Has every capability of the port; gives hints only after `give_hints`. Thread-safe.
class MemoryStore final : public Store {
 public:
  // An empty store. `clock` is the one of the deadlines and of `store_time`.
  explicit MemoryStore(std::shared_ptr<Clock> clock);
  ~MemoryStore() override;

  std::string describe() const override;  // "memory", or the name it was given
  StoreLimits limits() const override;
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override;
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override;
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override;
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override;
  bool has_changes() const override { return true; }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override;
  std::shared_ptr<ChangeWatch> watch_changes(const std::string& project,
                                             std::function<void()> hint) override;

  bool has_purge() const override { return true; }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override;

  // `fault` is asked before each call, with the name of the port's function.
  void set_fault(std::function<StoreFault(const std::string& operation)> fault);
  // `hook` is called before each call does its work, under no lock; a test can wait or move time in
  // it.
  void on_call(std::function<void(const std::string& operation)> hook);
  // Writes for which this returns a reason are `refused`.
  void set_refusal(std::function<std::optional<std::string>(const StoreWrite&)> refusal);
  // Sets what `limits` returns. The store itself enforces only `max_document_bytes` of these.
  void set_limits(StoreLimits limits);
  // Sets what `describe` returns.
  void set_name(const std::string& name);
  // From now on documents come back as another text of the same value, followed by white space, as
  // from a store that keeps values and not bytes.
  void keep_values_only();
  // From now on watches are given out, and a call that changes something gives hints.
  void give_hints();
  // Sets the state that watches report, and tells their owners. Hints come only while it is `live`.
  void set_hint_state(HintState state);
  // Makes the cursors given so far useless, as a restore from a backup does.
  void lose_change_cursors();
  // Empties the store, which becomes another incarnation.
  void reset();

  // From now on the feed says that it holds changes up for this reason, and returns none; "" ends
  // that.
  void hold_up_changes(std::string why);

  // The row as it stands; null if there is none.
  EntryPtr row(const std::string& project, const EntryId& id) const;
  std::size_t rows() const;  // tombstones included
  // Puts the row there as it is, whatever was there before.
  void put_row(const std::string& project, const EntryId& id, Entry entry);
  // From now on the row, which must be there, does not match its checksum and holds this text,
  // until content that is not older replaces it.
  void corrupt_row(const std::string& project, const EntryId& id, std::string text);
  // Removes the row as if it had never been there.
  void drop_row(const std::string& project, const EntryId& id);
  // How often this function of the port was called, including calls that failed.
  std::uint64_t calls(const std::string& operation) const;

 private:
  class Watch;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
