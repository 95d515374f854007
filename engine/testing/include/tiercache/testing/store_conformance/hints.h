// Conformance: hints of changes from stores that give them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "tiercache/testing/store_conformance/fixture.h"

namespace tiercache::testing {

// Counts the hints of a watch, and must outlive it. Thread-safe.
class HintCounter {
 public:
  // The function that the watch is to call.
  std::function<void()> hint() {
    return [this] {
      std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  // How many hints have come so far.
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }
  // Waits until `done`, which is asked again after each hint. Returns false if it was not true by
  // `deadline`.
  bool wait(SteadyTime deadline, const std::function<bool(int count)>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [&] { return done(count_); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// A deadline that only a store whose hints do not come can reach.
inline SteadyTime hint_patience() {
  return system_clock()->steady_now() + std::chrono::minutes(2);
}

// Returns a watch of the project once hints are known to come; null if they do not.
inline std::shared_ptr<ChangeWatch> watch_changes(Store& store, const std::string& project,
                                                  HintCounter& hints) {
  auto watch = store.watch_changes(project, hints.hint());
  if (!watch) return nullptr;
  HintState::Kind kind = HintState::Kind::starting;
  hints.wait(hint_patience(), [&](int) {
    kind = watch->state().kind;
    return kind == HintState::Kind::live || kind == HintState::Kind::unheard;
  });
  EXPECT_NE(kind, HintState::Kind::starting);
  return kind == HintState::Kind::live ? watch : nullptr;
}

// Waits for a hint after the first `before` ones. Returns false if none came.
inline bool comes_after(HintCounter& hints, int before) {
  return hints.wait(hint_patience(), [before](int count) { return count > before; });
}

TEST_P(StoreConformance,
       hint_follows_a_document_a_tombstone_an_invalidation_and_a_matching_erase_I10) {
  HintCounter hints;
  const auto watching = watch_changes(*store_, project_, hints);
  if (!watching) GTEST_SKIP() << "no hints";
  int before = hints.count();
  save(content({"d", "k"}, numbered(1)));
  EXPECT_TRUE(comes_after(hints, before)) << "document";
  Entry moved = numbered(1);
  moved.clocks.invalidated_at = at(77);
  before = hints.count();
  save(clocks({"d", "k"}, moved));
  EXPECT_TRUE(comes_after(hints, before)) << "invalidation";
  moved.clocks.invalidated_at = at(78);
  before = hints.count();
  save(content({"d", "k"}, moved));
  EXPECT_TRUE(comes_after(hints, before)) << "invalidation that comes with the row's own content";
  before = hints.count();
  save(content({"d", "other"}, tombstone(2)));
  EXPECT_TRUE(comes_after(hints, before)) << "tombstone";
  before = hints.count();
  store_->erase_matching(project_, {"d", "*", version(9)}, patience());
  EXPECT_TRUE(comes_after(hints, before)) << "matching erase";
}

TEST_P(StoreConformance, what_a_hint_is_about_is_in_the_feed_when_it_comes_I10) {
  HintCounter hints;
  const auto watching = watch_changes(*store_, project_, hints);
  if (!watching) GTEST_SKIP() << "no hints";
  std::string cursor = store_->changes(project_, "", 100, patience()).next;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    save(content({"d", "k"}, numbered(i)));
    // The hint that came may be of an earlier write, so a later one is waited for as well.
    Version told;
    int seen = 0;
    while (told != version(i) && comes_after(hints, seen)) {
      seen = hints.count();
      const ChangesReply reply = store_->changes(project_, cursor, 100, patience());
      ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
      for (const StoreChange& change : reply.changes) told = std::max(told, change.version);
      cursor = reply.next;
    }
    ASSERT_EQ(told, version(i));
  }
}

TEST_P(StoreConformance, writes_by_another_handle_are_hinted_at_too_I10) {
  if (!GetParam().reopen) GTEST_SKIP() << "cannot be opened twice";
  HintCounter hints;
  const auto watching = watch_changes(*store_, project_, hints);
  if (!watching) GTEST_SKIP() << "no hints";
  const auto other = GetParam().reopen();
  const int before = hints.count();
  const StoreWrite write = content({"d", "k"}, numbered(1));
  EXPECT_EQ(other->save(project_, std::span(&write, 1), patience()).status, StoreStatus::ok);
  EXPECT_TRUE(comes_after(hints, before));
}

TEST_P(StoreConformance, watch_that_ended_is_told_nothing_and_others_are) {
  HintCounter first;
  HintCounter second;
  auto ending = watch_changes(*store_, project_, first);
  const auto staying = watch_changes(*store_, project_, second);
  if (!ending || !staying) GTEST_SKIP() << "no hints";
  ending.reset();
  const int before = first.count();
  const int before_second = second.count();
  save(content({"d", "k"}, numbered(1)));
  EXPECT_TRUE(comes_after(second, before_second));
  EXPECT_EQ(first.count(), before);
}

}  // namespace tiercache::testing
