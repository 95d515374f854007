#include "base/thread_kept.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace tiercache {
namespace {

TEST(ThreadKept, value_is_kept_from_one_use_to_the_next_in_each_thread) {
  *ThreadKept<std::string>() = "mine";
  std::thread([] {
    EXPECT_EQ(*ThreadKept<std::string>(), "");
    *ThreadKept<std::string>() = "other";
  }).join();
  EXPECT_EQ(*ThreadKept<std::string>(), "mine");
}

// Stands for a cache that outlives the values of its thread, and uses one when it closes.
struct Late {
  std::string* seen = nullptr;
  ~Late() {
    ThreadKept<std::string> kept;
    if (seen == nullptr) return;
    *seen = "begins with '" + *kept + "'";
    *kept = std::string(100, 'x');
  }
};

TEST(ThreadKept, use_after_the_threads_own_values_are_destroyed_gets_a_value_of_its_own) {
  std::string seen;
  std::thread([&seen] {
    thread_local Late late;  // made first, so that it is destroyed last
    late.seen = &seen;
    *ThreadKept<std::string>() = "kept";
  }).join();
  EXPECT_EQ(seen, "begins with ''");
}

}  // namespace
}  // namespace tiercache
