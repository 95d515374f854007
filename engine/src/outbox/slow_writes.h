// Writes that the store did not answer for in time, kept apart so that they never stop the others.
//
// A call that fails does not say which of its writes was the cause: a row that somebody has locked,
// a document too large for a thin line. So all of them are tried again in smaller groups, beside
// the other writes, until each has been settled or is known to be slow by itself:
//
//   100 writes fail together        all 100 are kept apart
//   12 12 12 12 12 12 12 12 4       what passes is settled
//   1 1 1 1 1 1 1 1 1 1 1 1         of the group that failed again
//   1                               alone, after a pause, with twice the time, then twice that
//
// A matching erase that is done in pieces waits here between them.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "journal/unsettled_write.h"
#include "tiercache/time.h"

namespace tiercache {

// Not thread-safe. Bounded: what is beyond the bound stays among the others.
class SlowWrites {
 public:
  // `call_timeout` is what an ordinary call has; `pauses` lie between tries of a single write; a
  // piece of a matching erase looks at `erase_rows`, at first.
  SlowWrites(std::chrono::milliseconds call_timeout, BackoffOptions pauses, std::size_t erase_rows)
      : call_timeout_(call_timeout), pauses_(pauses), erase_rows_(erase_rows) {}

  std::size_t size() const { return slots_.size(); }
  // It is not to be sent among others. Of one that waits for somebody to hurry, a later write may
  // be.
  bool contains(const SlotName& slot) const {
    const auto found = slots_.find(top_of(slot));
    return found != slots_.end() && found->second.not_before != kNever;
  }

  // A call that held these failed. `away`: as all calls do just now, so it tells nothing of a
  // single write. `worked`: how many calls of others had worked by then.
  void failed(std::span<const UnsettledWrite> writes, bool away, std::uint64_t worked,
              SteadyTime now, Random& random);
  // It has failed alone before, and others have worked since: if it fails again it is for itself.
  bool others_worked_since(const UnsettledWrite& write, std::uint64_t worked) const;
  // A piece of this matching erase is done, up to and with `key`.
  void erased_up_to(const UnsettledWrite& erase, const std::string& key, SteadyTime now);
  // It waits for the store no longer.
  void forget(const SlotName& slot) { slots_.erase(top_of(slot)); }
  // It cannot be taken just now.
  void defer(const SlotName& slot, SteadyTime until);
  // All may be tried at once.
  void hurry();

  struct Try {
    std::vector<SlotName> slots;
    std::chrono::milliseconds timeout{0};
  };
  // What is to be tried now, the largest groups first; nullopt: nothing.
  std::optional<Try> next(SteadyTime now) const;
  // When the next one is due; kNever: none is.
  SteadyTime due() const;
  // The piece of a matching erase that comes next, here or for the first time.
  MatchingErase piece_of(const UnsettledWrite& erase) const;
  // Of a write that was tried alone, for a person; empty for all others.
  std::string describe(const SlotName& slot) const;

 private:
  struct Slow {
    std::size_t group = 1;                     // tried with at most so many
    int alone = 0;                             // how often it failed with nobody beside it
    std::optional<std::uint64_t> worked = {};  // when it last did: calls of others that had worked
    SteadyTime not_before{};
    // Of a matching erase.
    Version version = {};
    std::optional<std::string> done_to = {};
    std::size_t rows = 0;  // of a piece; 0: as at first
  };
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kFewestRows = 100;

  static SlotName top_of(SlotName slot) {
    slot.below = false;
    return slot;
  }
  std::chrono::milliseconds time_for(const Slow& slow) const;
  std::size_t rows_of(const Slow& slow) const { return slow.rows == 0 ? erase_rows_ : slow.rows; }
  void fail_alone(const UnsettledWrite& write, bool away, std::uint64_t worked, SteadyTime now,
                  Random& random);

  const std::chrono::milliseconds call_timeout_;
  const BackoffOptions pauses_;
  const std::size_t erase_rows_;
  std::map<SlotName, Slow> slots_;
};

}  // namespace tiercache
