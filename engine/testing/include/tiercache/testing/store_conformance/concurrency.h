// Conformance: deadlines, and many threads at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

TEST_P(StoreConformance, passed_deadline_is_answered_without_an_outcome_I7) {
  save(content({"d", "k"}, numbered(1)));
  const LoadReply loaded = store_->load(project_, std::vector<EntryId>{{"d", "k"}}, passed());
  EXPECT_NE(loaded.status, StoreStatus::ok);
  EXPECT_NE(loaded.message, "");
  EXPECT_TRUE(loaded.entries.empty());
  const ScanReply scanned = store_->scan(project_, "d", "", 10, passed());
  EXPECT_NE(scanned.status, StoreStatus::ok);
  EXPECT_TRUE(scanned.entries.empty());
  const SaveReply saved = store_->save(
      project_, std::vector{content({"d", "k"}, numbered(2)), content({"d", "l"}, numbered(2))},
      passed());
  EXPECT_NE(saved.status, StoreStatus::ok);
  EXPECT_TRUE(saved.results.empty());
  const auto erased = store_->erase_matching(project_, {"d", "*", version(3)}, passed());
  EXPECT_NE(erased.status, StoreStatus::ok);
  EXPECT_EQ(erased.erased, 0u);
  if (saved.status == StoreStatus::unavailable && erased.status == StoreStatus::unavailable) {
    expect_row({"d", "k"}, numbered(1));
    EXPECT_EQ(load({"d", "l"}), nullptr);
  }
}

TEST_P(StoreConformance, store_works_on_after_a_passed_deadline_I7) {
  store_->save(project_, std::vector{content({"d", "k"}, numbered(1))}, passed());
  const SaveOutcome again = outcome(content({"d", "k"}, numbered(1)));
  EXPECT_TRUE(again == SaveOutcome::saved || again == SaveOutcome::already_saved);
  expect_row({"d", "k"}, numbered(1));
}

TEST_P(StoreConformance, no_deadline_is_a_deadline_that_never_comes) {
  EXPECT_EQ(store_->save(project_, std::vector{content({"d", "k"}, numbered(1))}, kNever).status,
            StoreStatus::ok);
  EXPECT_EQ(store_->load(project_, std::vector<EntryId>{{"d", "k"}}, kNever).status,
            StoreStatus::ok);
}

TEST_P(StoreConformance, versions_only_go_forward_under_concurrent_saves_I3) {
  constexpr int kThreads = 4;
  constexpr std::uint64_t kVersions = 60;
  const std::vector<EntryId> ids{{"d", "1"}, {"d", "2"}, {"e", "1"}};
  std::atomic<int> writing{kThreads};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<StoreWrite> writes;
      for (const EntryId& id : ids) {
        for (std::uint64_t n = 1; n <= kVersions; ++n) writes.push_back(content(id, numbered(n)));
      }
      std::shuffle(writes.begin(), writes.end(), std::mt19937(t));
      for (std::size_t at = 0; at < writes.size(); at += 9) {
        const std::size_t end = std::min(at + 9, writes.size());
        save_all({writes.begin() + static_cast<std::ptrdiff_t>(at),
                  writes.begin() + static_cast<std::ptrdiff_t>(end)});
      }
      --writing;
    });
  }
  std::map<EntryId, Version> newest;
  while (writing > 0) {
    const LoadReply reply = store_->load(project_, ids, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    for (std::size_t i = 0; i < reply.entries.size(); ++i) {
      if (!reply.entries[i]) continue;
      EXPECT_GE(reply.entries[i]->version, newest[ids[i]]);
      newest[ids[i]] = reply.entries[i]->version;
    }
  }
  for (std::thread& thread : threads) thread.join();
  for (const EntryId& id : ids) expect_row(id, numbered(kVersions));
}

TEST_P(StoreConformance, compare_and_set_loses_no_update_under_concurrency_I5) {
  constexpr unsigned kThreads = 4;
  constexpr int kEach = 15;
  constexpr int kMaxAttempts = 20'000;  // reached only where no attempt succeeds
  const EntryId id{"d", "counter"};
  save(content(id, document(1, "0")));
  const auto add_one = [&](unsigned thread) {
    const EntryPtr row = load(id);
    if (!row) return false;
    Entry next = document(0, std::to_string(std::stoi(*row->document) + 1));
    next.version = {row->version.time + 1, thread};
    return outcome(guarded(id, next, row->version)) == SaveOutcome::saved;
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      int done = 0;
      for (int attempt = 0; done < kEach && attempt < kMaxAttempts; ++attempt) {
        done += add_one(t) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const EntryPtr row = load(id);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(*row->document, std::to_string(kThreads * kEach));
}

TEST_P(StoreConformance, every_call_may_run_beside_every_other) {
  constexpr int kRounds = 40;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (std::uint64_t n = 1; n <= kRounds; ++n) {
      save_all({content({"d", named("a", n % 7)}, numbered(n)),
                content({"d", named("b", n)}, numbered(n))});
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) scan_all("d", 5);
  });
  threads.emplace_back([&] {
    for (std::uint64_t n = 1; n <= kRounds; ++n) {
      const auto reply = store_->erase_matching(project_, {"d", "a*", version(n)}, patience());
      EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) load({"d", named("a", i % 7)});
  });
  for (std::thread& thread : threads) thread.join();
  for (std::uint64_t n = 1; n <= kRounds; ++n) {
    expect_row({"d", named("b", n)}, numbered(n));
  }
}

}  // namespace tiercache::testing
