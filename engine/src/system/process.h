// What the engine needs to know of its process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace tiercache {

namespace detail {
extern std::atomic<std::uint32_t> fork_count;
}

// How many forks lie between the first process and this one. Threads do not survive a fork, so a
// cache that was opened before it cannot be used in the child. Costs a plain load.
inline std::uint32_t forks_so_far() {
  return detail::fork_count.load(std::memory_order_relaxed);
}

// Never destroys the object. Used in a forked child for what the parent goes on using: its threads
// do not exist here and cannot be joined, they may have held its mutexes, and what it would tidy up
// is the parent's.
void keep_for_ever(std::shared_ptr<void> object);

// How many processors the machine has, as far as this process may use them; at least 1.
unsigned processors();

// Unpredictable bits, for writer ids and the seed of jitter. Not for secrets.
std::uint64_t random_seed();

}  // namespace tiercache
