#include "system/process.h"

#include <pthread.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace tiercache {

namespace detail {

std::atomic<std::uint32_t> fork_count{0};

namespace {

const int fork_watch = ::pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); });

}  // namespace

}  // namespace detail

// The objects stay reachable, so that leak checkers do not report them. Only the single thread of a
// forked child comes here, while it exits.
void keep_for_ever(std::shared_ptr<void> object) {
  static auto* const kept = new std::vector<std::shared_ptr<void>>;
  kept->push_back(std::move(object));
}

unsigned processors() {
  return std::max(std::thread::hardware_concurrency(), 1U);
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace tiercache
