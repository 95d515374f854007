#include "tiercache/testing/memory_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/store_conformance.h"

namespace tiercache::testing {
namespace {

std::shared_ptr<Store> bounded_store() {
  auto store = std::make_shared<MemoryStore>(system_clock());
  store->set_limits({.max_document_bytes = 200'000});
  return store;
}

std::shared_ptr<Store> hinting_store() {
  auto store = std::make_shared<MemoryStore>(system_clock());
  store->give_hints();
  return store;
}

INSTANTIATE_TEST_SUITE_P(
    MemoryStore, StoreConformance,
    ::testing::Values(
        StoreUnderTest{.name = "unbounded",
                       .open = [] { return std::make_shared<MemoryStore>(system_clock()); }},
        StoreUnderTest{.name = "bounded", .open = bounded_store},
        StoreUnderTest{.name = "hinting", .open = hinting_store}),
    store_name);

class MemoryStoreTest : public ::testing::Test {
 protected:
  StoreWrite write(std::uint64_t number) const {
    StoreWrite out;
    out.id = id_;
    out.entry.version = {number, 1};
    out.entry.document = std::make_shared<const std::string>("{}");
    out.entry.checksum = Checksum::of("{}");
    return out;
  }
  SaveReply save(std::uint64_t number) {
    return store_.save("p", std::vector{write(number)}, clock_->steady_now() + timeout_);
  }

  const EntryId id_{"d", "k"};
  const std::chrono::seconds timeout_{10};
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  MemoryStore store_{clock_};
};

TEST_F(MemoryStoreTest, unavailable_fault_does_nothing) {
  store_.set_fault([](const std::string&) { return StoreFault::unavailable; });
  EXPECT_EQ(save(1).status, StoreStatus::unavailable);
  EXPECT_EQ(store_.row("p", id_), nullptr);
}

TEST_F(MemoryStoreTest, unknown_undone_fault_does_nothing) {
  store_.set_fault([](const std::string&) { return StoreFault::unknown_undone; });
  EXPECT_EQ(save(1).status, StoreStatus::unknown);
  EXPECT_EQ(store_.row("p", id_), nullptr);
}

TEST_F(MemoryStoreTest, unknown_done_fault_does_it_and_does_not_say) {
  store_.set_fault([](const std::string&) { return StoreFault::unknown_done; });
  const SaveReply reply = save(1);
  EXPECT_EQ(reply.status, StoreStatus::unknown);
  EXPECT_TRUE(reply.results.empty());
  EXPECT_NE(store_.row("p", id_), nullptr);
}

TEST_F(MemoryStoreTest, fault_is_asked_by_name_of_the_call) {
  store_.set_fault([](const std::string& operation) {
    return operation == "load" ? StoreFault::unavailable : StoreFault::none;
  });
  EXPECT_EQ(save(1).status, StoreStatus::ok);
  EXPECT_EQ(store_.load("p", std::vector{id_}, kNever).status, StoreStatus::unavailable);
  EXPECT_EQ(store_.calls("save"), 1u);
  EXPECT_EQ(store_.calls("load"), 1u);
  EXPECT_EQ(store_.calls("scan"), 0u);
}

TEST_F(MemoryStoreTest, hook_that_takes_longer_than_the_deadline_makes_it_unavailable_I7) {
  store_.on_call([this](const std::string&) { clock_->advance(timeout_); });
  EXPECT_EQ(save(1).status, StoreStatus::unavailable);
  EXPECT_EQ(store_.rows(), 0u);
}

TEST_F(MemoryStoreTest, hook_may_use_the_store) {
  bool entered = false;
  store_.on_call([&](const std::string&) {
    if (std::exchange(entered, true)) return;
    EXPECT_EQ(save(5).results.at(0).outcome, SaveOutcome::saved);
  });
  EXPECT_EQ(save(1).results.at(0).outcome, SaveOutcome::superseded);
}

TEST_F(MemoryStoreTest, refusal_is_of_the_row_and_carries_the_reason) {
  store_.set_refusal([](const StoreWrite& refused) -> std::optional<std::string> {
    if (refused.entry.version.time == 2) return "not two";
    return std::nullopt;
  });
  EXPECT_EQ(save(1).results.at(0).outcome, SaveOutcome::saved);
  const SaveReply second = save(2);
  EXPECT_EQ(second.results.at(0).outcome, SaveOutcome::refused);
  EXPECT_EQ(second.results.at(0).why, "not two");
  EXPECT_EQ(store_.row("p", id_)->version.time, 1u);
}

TEST_F(MemoryStoreTest, time_of_replies_is_that_of_its_clock) {
  EXPECT_EQ(save(1).store_time, clock_->wall_now());
}

TEST_F(MemoryStoreTest, row_put_directly_is_found_whatever_its_version) {
  save(9);
  store_.put_row("p", id_, write(3).entry);
  EXPECT_EQ(store_.row("p", id_)->version.time, 3u);
  EXPECT_EQ(store_.rows(), 1u);
}

}  // namespace
}  // namespace tiercache::testing
