// A store that is away, or refuses one key, on command; and a calendar that stands still.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::upgrade {

// The machine's clock with a time of day that moves on command alone, so that what is written and
// what is fresh does not depend on when a test runs. Thread-safe.
class Calendar final : public Clock {
 public:
  explicit Calendar(WallTime now) : now_(now) {}

  void set(WallTime now) { now_ = now; }
  WallTime wall_now() const override { return now_; }
  SteadyTime steady_now() const override { return machine_->steady_now(); }
  SteadyTime coarse_now() const override { return machine_->coarse_now(); }

 private:
  const std::shared_ptr<Clock> machine_ = system_clock();
  std::atomic<WallTime> now_;
};

// In front of another store. Thread-safe.
class Gate final : public Store {
 public:
  // `refused`: the key of which no write is ever taken; empty: all are.
  Gate(std::shared_ptr<Store> behind, std::string refused)
      : behind_(std::move(behind)), refused_(std::move(refused)) {}

  void close() { away_ = true; }
  void open() { away_ = false; }

  // What the first answered look at the change feed began with, and whether it was told of a gap.
  struct FirstLook {
    std::string cursor;
    bool gap = false;
  };
  // Waits for it; nullopt when there was none in time.
  std::optional<FirstLook> first_look(std::chrono::seconds timeout);

  std::string describe() const override { return behind_->describe(); }
  StoreLimits limits() const override { return behind_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override;
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override;
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override;
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override;
  bool has_changes() const override { return behind_->has_changes(); }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override;
  bool has_purge() const override { return behind_->has_purge(); }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override;

 private:
  const std::shared_ptr<Store> behind_;
  const std::string refused_;
  std::atomic<bool> away_{false};
  std::mutex mutex_;
  std::condition_variable looked_;
  std::optional<FirstLook> first_look_;
};

}  // namespace tiercache::upgrade
