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
// cache opened before it is unusable in the child. A plain load.
inline std::uint32_t forks_so_far() {
  return detail::fork_count.load(std::memory_order_relaxed);
}

// Never destroys this: in a forked child, what the parent goes on using. Its threads are not there
// to be joined, its mutexes may be held by them, and what it would tidy up is the parent's.
void keep_for_ever(std::shared_ptr<void> object);

// Of the machine, as far as this process may use them; at least 1.
unsigned processors();

// Unpredictable bits, for writer ids and the seed of jitter. Not for secrets.
std::uint64_t random_seed();

}  // namespace tiercache
