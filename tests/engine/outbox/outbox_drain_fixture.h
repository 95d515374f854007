// A journal on a disk in memory, a store in memory, and the drain between them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/journal_fixture.h"
#include "outbox/outbox_drain.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"

namespace tiercache::testing {

inline constexpr char kProject[] = "p";

// By the seed of the executor.
class OutboxDrainTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  OutboxDrainTest()
      : clock(std::make_shared<ManualClock>()),
        executor(clock, GetParam()),
        store(std::make_shared<MemoryStore>(clock)),
        log(disk) {
    EXPECT_TRUE(log.open().ok());
    journal = std::shared_ptr<Journal>(std::move(log.journal));
    options.project = kProject;
    start();
  }

  void start() {
    DrainEvents events;
    events.settled = [this](const UnsettledWrite& write, const SaveResult& result) {
      told.emplace_back(write.write.id.key, result);
    };
    events.outdated = [this](const UnsettledWrite& write) { return outdated && outdated(write); };
    events.called = [this](const StoreReply& reply, std::chrono::nanoseconds) {
      replies.push_back(reply.status);
    };
    events.rested = [this] { ++rests; };
    breaker = std::make_shared<Breaker>(clock, options.backoff, GetParam());
    drain = std::make_unique<OutboxDrain>(journal, store, breaker, executor, clock, options,
                                          std::move(events), GetParam());
    breaker->on_close([this] { drain->hurry(); });
  }

  void put(Record record) {
    AppendStatus status = AppendStatus::unknown;
    journal->append(std::move(record), [&](const AppendResult& result) { status = result.status; });
    EXPECT_TRUE(journal->commit());
    EXPECT_EQ(status, AppendStatus::durable);
  }
  void put_many(int count) {
    for (int i = 0; i < count; ++i) {
      put(content("k" + std::to_string(i), static_cast<std::uint64_t>(i) + 1, document("k")));
    }
  }
  bool run_until_idle(std::chrono::nanoseconds limit = std::chrono::hours(10)) {
    return executor.run_until([&] { return drain->idle(); }, limit);
  }
  EntryPtr row(const std::string& key) const { return store->row(kProject, id_of(key)); }
  void fail(StoreFault fault) {
    store->set_fault([fault](const std::string&) { return fault; });
  }
  void heal() { store->set_fault(nullptr); }

  std::function<bool(const UnsettledWrite&)> outdated;
  std::shared_ptr<ManualClock> clock;
  SeededExecutor executor;
  std::shared_ptr<MemoryStore> store;
  MemoryDisk disk;
  JournalOnDisk log;
  std::shared_ptr<Journal> journal;
  DrainOptions options;
  std::shared_ptr<Breaker> breaker;
  std::vector<std::pair<std::string, SaveResult>> told;
  std::vector<StoreStatus> replies;
  int rests = 0;
  std::unique_ptr<OutboxDrain> drain;
};

}  // namespace tiercache::testing
