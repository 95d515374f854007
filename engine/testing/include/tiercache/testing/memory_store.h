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

// Has every capability of the port, but gives hints only after `give_hints`. Thread-safe.
class MemoryStore final : public Store {
 public:
  // An empty store. Deadlines and `store_time` are by `clock`.
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

  // From now on `fault` decides what each call does; it is given the name of the port's function.
  void set_fault(std::function<StoreFault(const std::string& operation)> fault);
  // `hook` is called before each call does its work, under no lock; a test can wait or move time in
  // it.
  void on_call(std::function<void(const std::string& operation)> hook);
  // From now on writes for which `refusal` returns a reason are `refused`.
  void set_refusal(std::function<std::optional<std::string>(const StoreWrite&)> refusal);
  // Sets what `limits` returns. Of these the store itself enforces only `max_document_bytes`.
  void set_limits(StoreLimits limits);
  // Sets what `describe` returns.
  void set_name(const std::string& name);
  // From now on each document comes back as another text of the same value, with white space behind
  // it, as from a store that keeps values and not bytes.
  void keep_values_only();
  // From now on `watch_changes` returns watches, and calls that change something give hints.
  void give_hints();
  // Sets the state that watches report, and tells their owners. Hints come only while it is `live`.
  void set_hint_state(HintState state);
  // Makes the cursors given so far useless, as a restore from a backup does.
  void lose_change_cursors();
  // Empties the store, which becomes another incarnation.
  void reset();
  // From now on the feed says that it holds changes up for this reason, and returns none. An empty
  // reason ends that.
  void hold_up_changes(std::string why);

  // Returns the row; null if there is none.
  EntryPtr row(const std::string& project, const EntryId& id) const;
  // Returns how many rows there are in all projects, tombstones included.
  std::size_t rows() const;
  // Puts this row there, whatever was there before.
  void put_row(const std::string& project, const EntryId& id, Entry entry);
  // From now on the row, which must be there, does not match its checksum and holds this text,
  // until content that is not older replaces it.
  void corrupt_row(const std::string& project, const EntryId& id, std::string text);
  // Removes the row as if it had never been there.
  void drop_row(const std::string& project, const EntryId& id);
  // Returns how often this function of the port was called, including calls that failed.
  std::uint64_t calls(const std::string& operation) const;

 private:
  class Watch;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
