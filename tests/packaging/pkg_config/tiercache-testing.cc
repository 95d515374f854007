// Asks a store in memory.
#include <tiercache/testing/manual_clock.h>
#include <tiercache/testing/memory_store.h>

#include <chrono>
#include <memory>

int main() {
  const auto clock = std::make_shared<tiercache::testing::ManualClock>();
  tiercache::testing::MemoryStore store(clock);
  const auto deadline = clock->steady_now() + std::chrono::seconds(1);
  return store.scan("consumer", "", "", 1, deadline).status == tiercache::StoreStatus::ok ? 0 : 1;
}
