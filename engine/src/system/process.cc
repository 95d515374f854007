#include "system/process.h"

#include <pthread.h>

#include <random>

namespace tiercache {

namespace detail {

std::atomic<std::uint32_t> fork_count{0};

namespace {

const int fork_watch = ::pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); });

}  // namespace

}  // namespace detail

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace tiercache
