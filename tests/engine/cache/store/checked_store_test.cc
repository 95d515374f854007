// A store that breaks a promise of its port is one that failed, and nothing worse.
#include "cache/store/checked_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

class CheckedStoreTest : public ::testing::Test {
 protected:
  LoadReply load(std::size_t keys = 1) {
    return checked.load("test", std::vector<EntryId>(keys, kId), kNever);
  }
  SaveReply save(const StoreWrite& write) { return checked.save("test", {&write, 1}, kNever); }
  // The store answers a write with this.
  void outcome(SaveOutcome outcome, EntryPtr current = nullptr) {
    store->on_save = [=](SaveReply& reply) { reply.results[0] = {outcome, current, {}}; };
  }

  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  CheckedStore checked{store};
};

TEST_F(CheckedStoreTest, row_that_does_not_hold_its_checksum_is_corrupt_I2_I9) {
  store->on_load = [](LoadReply& reply) {
    Entry entry = document(1, "good");
    entry.checksum = Checksum::of("other");
    reply.entries[0] = shared(entry);
    entry.text_checksum = Checksum::of("good");
    reply.entries[1] = shared(entry);
  };
  const LoadReply reply = load(2);
  EXPECT_TRUE(reply.is_corrupt(0));
  EXPECT_EQ(*reply.text_of_corrupt(0), "good");
  EXPECT_FALSE(reply.is_corrupt(1)) << "the text that came has a checksum of its own";
}

TEST_F(CheckedStoreTest, row_that_cannot_be_is_corrupt_I9) {
  std::vector<Entry> bad{document(1), document(1), tombstone(1), document(1)};
  bad[0].metadata = "[]";
  bad[1].document = nullptr;
  bad[2].document = std::make_shared<const std::string>("1");
  bad[3].kind = static_cast<EntryKind>(7);
  for (const Entry& entry : bad) {
    store->on_load = [&](LoadReply& reply) { reply.entries[0] = shared(entry); };
    EXPECT_TRUE(load().is_corrupt(0));
  }
}

TEST_F(CheckedStoreTest, rows_for_another_number_of_keys_are_no_answer) {
  for (const std::size_t count : {0, 1, 3}) {
    store->on_load = [&](LoadReply& reply) { reply.entries.resize(count); };
    EXPECT_EQ(load(2).status, StoreStatus::unknown) << count;
  }
}

TEST_F(CheckedStoreTest, results_that_cannot_be_are_no_answer_I3) {
  const StoreWrite write = store_write(document(5));
  outcome(SaveOutcome::superseded, shared(document(4)));
  EXPECT_EQ(save(write).status, StoreStatus::unknown) << "by a row that is older";
  outcome(SaveOutcome::superseded, shared(document(5)));
  EXPECT_EQ(save(write).status, StoreStatus::ok);
  outcome(static_cast<SaveOutcome>(9));
  EXPECT_EQ(save(write).status, StoreStatus::unknown);
  Entry damaged = document(6, "1");
  damaged.checksum = {};
  outcome(SaveOutcome::superseded, shared(damaged));
  EXPECT_EQ(save(write).status, StoreStatus::unknown);
  store->on_save = [](SaveReply& reply) { reply.results.clear(); };
  EXPECT_EQ(save(write).status, StoreStatus::unknown);
}

TEST_F(CheckedStoreTest, guarded_write_and_clocks_may_give_way_to_an_older_row) {
  outcome(SaveOutcome::superseded, shared(document(4)));
  EXPECT_EQ(save(store_write(document(5), version(3))).status, StoreStatus::ok);
  StoreWrite clocks = store_write(document(5));
  clocks.kind = StoreWrite::Kind::clocks;
  EXPECT_EQ(save(clocks).status, StoreStatus::ok);
}

TEST_F(CheckedStoreTest, reason_of_a_refusal_is_cut_to_what_a_person_reads_I8) {
  store->on_save = [](SaveReply& reply) {
    reply.results[0] = {SaveOutcome::refused, nullptr, std::string(10'000, 'x')};
  };
  EXPECT_EQ(save(store_write(document(5))).results[0].why.size(), 4'096u);
}

TEST_F(CheckedStoreTest, page_leaves_out_what_is_no_sound_document) {
  Entry damaged = document(1, "1");
  damaged.checksum = {};
  store->on_scan = [&](ScanReply& reply) {
    reply.entries = {{{"d", "a"}, shared(document(1))},
                     {{"d", "b"}, nullptr},
                     {{"d", "c"}, shared(tombstone(1))},
                     {{"d", "e"}, shared(damaged)}};
  };
  const ScanReply reply = checked.scan("test", "d", {}, 10, kNever);
  ASSERT_EQ(reply.entries.size(), 1u);
  EXPECT_EQ(reply.entries[0].id.key, "a");
}

TEST_F(CheckedStoreTest, pages_and_pieces_that_do_not_move_on_are_no_answer) {
  store->on_scan = [](ScanReply& reply) { reply.next = "x"; };
  EXPECT_EQ(checked.scan("test", "d", "x", 10, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.scan("test", "d", "y", 10, kNever).status, StoreStatus::ok);
  store->on_changes = [](ChangesReply& reply) {
    reply.next = "x";
    reply.more = true;
  };
  EXPECT_EQ(checked.changes("test", "x", 10, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.changes("test", "y", 10, kNever).status, StoreStatus::ok);
  store->on_erase = [](EraseMatchingReply& reply) { reply.next = "k"; };
  EXPECT_EQ(checked.erase_matching("test", {.after = "k"}, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.erase_matching("test", {.after = "j"}, kNever).status, StoreStatus::ok);
  EXPECT_EQ(checked.erase_matching("test", {}, kNever).status, StoreStatus::ok);
}

TEST_F(CheckedStoreTest, exceptions_are_replies_of_which_nothing_is_known) {
  const auto fails = [](auto&) { throw std::runtime_error("thrown"); };
  store->on_load = fails;
  store->on_save = fails;
  store->on_scan = fails;
  store->on_changes = fails;
  store->on_purge = fails;
  store->on_erase = fails;
  EXPECT_EQ(load().status, StoreStatus::unknown);
  EXPECT_EQ(save(store_write(document(5))).status, StoreStatus::unknown);
  EXPECT_EQ(checked.scan("test", "d", {}, 1, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.changes("test", {}, 1, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.purge("test", {}, kNever).status, StoreStatus::unknown);
  EXPECT_EQ(checked.erase_matching("test", {}, kNever).status, StoreStatus::unknown);
}

}  // namespace
}  // namespace tiercache::detail
