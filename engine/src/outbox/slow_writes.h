// Writes that the store did not answer for in time, kept apart so that they never stop the others.
//
// A call that fails does not say which of its writes was the cause: a row that somebody has locked,
// or a document too large for a thin line. So all of them are tried again in smaller groups, beside
// the other writes, until each has been settled or is known to be slow by itself:
//
//   100 writes fail together        all 100 are kept apart
//   12 12 12 12 12 12 12 12 4       are tried one group after the other; what passes is settled
//   1 1 1 1 1 1 1 1 1 1 1 1         are what is left of a group that failed again
//   1                               is tried alone, after a pause, with twice the time, and so on
//
// A matching erase that is done in pieces waits here between two of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "journal/live/unsettled_write.h"
#include "tiercache/time.h"

namespace tiercache {

// Owned by the drain, whose lock guards it. It is bounded: a write beyond the bound stays among the
// others.
class SlowWrites {
 public:
  // An ordinary call has `call_timeout`. `pauses` lie between tries of a single write. A piece of a
  // matching erase looks at `erase_rows` rows at first.
  SlowWrites(std::chrono::milliseconds call_timeout, BackoffOptions pauses, std::size_t erase_rows)
      : call_timeout_(call_timeout), pauses_(pauses), erase_rows_(erase_rows) {}

  std::size_t size() const { return slots_.size(); }
  // True if the slot is not to be sent in a batch. False for a slot that was deferred for ever and
  // waits for `hurry` alone, so that a later write of its key may be sent.
  bool contains(const SlotName& slot) const {
    const auto found = slots_.find(apart_name(slot));
    return found != slots_.end() && found->second.not_before != kNever;
  }

  // A call with these writes failed. `away` says that all calls fail just now, so that this tells
  // nothing about a single write. `worked` is how many calls had worked by then.
  void failed(std::span<const UnsettledWrite> writes, bool away, std::uint64_t worked,
              SteadyTime now, Random& random);
  // True if the write has failed alone before and other calls have worked since. If it fails again
  // now, the cause is the write itself.
  bool others_worked_since(const UnsettledWrite& write, std::uint64_t worked) const;
  // A piece of this matching erase is done, up to and including `key`.
  void erased_up_to(const UnsettledWrite& erase, const std::string& key, SteadyTime now);
  // The slot is kept apart no longer.
  void forget(const SlotName& slot) { slots_.erase(apart_name(slot)); }
  // The slot cannot be taken just now and is not due before `until`.
  void defer(const SlotName& slot, SteadyTime until);
  // All slots are due.
  void hurry();

  struct Try {
    std::vector<SlotName> slots;
    std::chrono::milliseconds timeout{0};
  };
  // The next group that is due, the largest ones first. Nullopt if none is.
  std::optional<Try> next(SteadyTime now) const;
  // When the first slot is due; kNever if none ever is.
  SteadyTime due() const;
  // The next piece of the matching erase, which is the first one if it is not kept here.
  MatchingErase piece_of(const UnsettledWrite& erase) const;
  // Describes, for a person, a write that has failed alone. Empty for all others.
  std::string describe(const SlotName& slot) const;

 private:
  struct Slow {
    std::size_t group = 1;  // at most so many are tried together
    int alone = 0;          // how often it failed alone while the store was there
    // How many calls had worked when it last failed alone. Null if it never has.
    std::optional<std::uint64_t> worked = {};
    SteadyTime not_before{};
    // The rest is for a matching erase.
    Version version = {};  // which one `done_to` is about; zero while no piece is done
    std::optional<std::string> done_to = {};
    std::size_t rows = 0;  // of its next piece; 0 means `erase_rows_`
  };
  static constexpr std::size_t kMaxKept = 10'000;
  static constexpr std::size_t kFewestRows = 100;

  // The name under which the slot is kept; both content slots of a key have the same.
  static SlotName apart_name(SlotName slot) {
    slot.below = false;
    return slot;
  }
  // The timeout for a try of this one.
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
