#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace tiercache {
namespace {

// Whether another thread gets it just now; it lets go at once.
bool others_get(Mutex& mutex) {
  bool got = false;
  std::thread([&] {
    if (!mutex.try_lock()) return;
    got = true;
    mutex.unlock();
  }).join();
  return got;
}

TEST(Mutex, keeps_others_out_until_it_is_unlocked) {
  Mutex mutex;
  EXPECT_TRUE(others_get(mutex));
  mutex.lock();
  EXPECT_FALSE(others_get(mutex));
  mutex.unlock();
  EXPECT_TRUE(others_get(mutex));
}

TEST(Mutex, lock_of_a_scope_keeps_others_out_until_its_end) {
  Mutex mutex;
  {
    const Lock lock(mutex);
    EXPECT_FALSE(others_get(mutex));
  }
  EXPECT_TRUE(others_get(mutex));
}

}  // namespace
}  // namespace tiercache
