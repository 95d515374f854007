// What is done at a place, step by step. What must be there afterwards stands in expected.json,
// beside the corpus (tests/corpus), under the step's name.
#pragma once

#include "upgrade/state/machine.h"

namespace tiercache::upgrade {

// All throw std::runtime_error where the library does not do what it should.

// "closed", at an age of 0 s: everything is confirmed, and the cache closed in order.
void write_closed(const Place& place);
// "killed", at 60 s: a write that the store refused, and of each kind one that waits for the store,
// which is away. The caller kills the process; each step is acknowledged.
void write_what_waits(Machine& machine);
// "used", at 3,600 s, after "killed": reads, writes over and beside what is there, `flush`, and a
// scrub that must find no difference. Then the store goes away, and more is written.
void use(Machine& machine);

// How old the place is when each of them begins, and when expected.json holds of it.
inline constexpr std::chrono::seconds kKilledAge{60};
inline constexpr std::chrono::seconds kCheckAge{1'800};  // of what "closed" and "killed" left
inline constexpr std::chrono::seconds kUsedAge{3'600};
inline constexpr std::chrono::seconds kUsedCheckAge{7'200};

}  // namespace tiercache::upgrade
