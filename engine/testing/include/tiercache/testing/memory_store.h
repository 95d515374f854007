// A correct store in memory that fails on command: the model that other stores are compared with.
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

// What a call should do instead of working.
enum class StoreFault : std::uint8_t {
  none,            // works
  unavailable,     // refuses, nothing done
  unknown_undone,  // reports `unknown`, nothing done
  unknown_done,    // reports `unknown` after doing it
};

// Has every capability of the port; hints only after `give_hints`. Thread-safe.
class MemoryStore final : public Store {
 public:
  // An empty store. `clock` is that of the deadlines and of `store_time`.
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

  // Asked before each call with the port's function name.
  void set_fault(std::function<StoreFault(const std::string& operation)> fault);
  // Called before each call works: a test can wait or move time in it. Not under a lock.
  void on_call(std::function<void(const std::string& operation)> hook);
  // Writes for which this answers a reason are `refused`.
  void set_refusal(std::function<std::optional<std::string>(const StoreWrite&)> refusal);
  // What `limits` answers. Of these the store itself enforces `max_document_bytes`.
  void set_limits(StoreLimits limits);
  // What `describe` answers.
  void set_name(const std::string& name);
  // From now on documents come back as another text of the same value, with white space behind it,
  // as from a store that keeps values and not bytes.
  void keep_values_only();
  // From now on watches are given out, and hints in the call that changes something.
  void give_hints();
  // What watches say of themselves; their owners are told. No hints come but while it is `live`.
  void set_hint_state(HintState state);
  // Cursors given so far are of no use any more, as after a restore from a backup.
  void lose_change_cursors();
  // Nothing of what it had is left, and it is of another incarnation.
  void reset();

  // From now on the feed says that it holds changes up, and tells none; "": no longer.
  void hold_up_changes(std::string why);

  // The row as it stands; null when absent.
  EntryPtr row(const std::string& project, const EntryId& id) const;
  std::size_t rows() const;  // tombstones included
  // Puts the row there as it is, whatever stood there.
  void put_row(const std::string& project, const EntryId& id, Entry entry);
  // The row, which must be there, fails its checksum from now on and holds this text, until content
  // that is not older replaces it.
  void corrupt_row(const std::string& project, const EntryId& id, std::string text);
  // The row goes as if it never had been.
  void drop_row(const std::string& project, const EntryId& id);
  // How many calls were made of this function of the port, failed ones too.
  std::uint64_t calls(const std::string& operation) const;

 private:
  class Watch;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tiercache::testing
