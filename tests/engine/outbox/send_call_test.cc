// One call into the store: what is sent, with which guard, and what is made of its answers.
#include "outbox/send_call.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/journal/journal_fixture.h"
#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/memory_store.h"

namespace tiercache::testing {
namespace {

constexpr char kSendProject[] = "p";

// Made from unconfirmed writes by writer 1, the last of version `from`, where the store had
// version 3 before those.
UnsettledWrite made_from(const std::string& key, std::uint64_t version, std::uint64_t from) {
  UnsettledWrite write = write_of(content(key, version, "\"mine\""));
  write.write.not_newer_than = Version{3, 7};
  write.made_from.add(at(from));
  return write;
}

UnsettledWrite plain(const std::string& key, std::uint64_t version) {
  return write_of(content(key, version, "\"plain\""));
}

class SendCallTest : public ::testing::Test {
 protected:
  SendCall send(const std::vector<UnsettledWrite>& batch) {
    return send_writes(store, kSendProject, batch, clock->steady_now() + std::chrono::seconds(10));
  }
  void put_row(const std::string& key, const Version& version) {
    Record record = content(key, version.time, "\"row\"");
    record.entry.version = version;
    store.put_row(kSendProject, id_of(key), record.entry);
  }
  Version version_of(const std::string& key) const {
    return store.row(kSendProject, id_of(key))->version;
  }
  // Somebody else's write arrives between the look at the row and the save.
  void put_row_before_the_save(const std::string& key, const Version& version) {
    store.on_call([=, this](const std::string& operation) {
      if (operation == "save") put_row(key, version);
    });
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  MemoryStore store{clock};
};

TEST_F(SendCallTest, plain_writes_are_saved_without_a_look_at_their_rows) {
  const SendCall call = send({plain("a", 5), plain("b", 6)});
  ASSERT_TRUE(call.worked());
  ASSERT_EQ(call.results.size(), 2u);
  EXPECT_EQ(call.results[1].outcome, SaveOutcome::saved);
  EXPECT_EQ(call.again, (std::vector<bool>{false, false}));
  EXPECT_EQ(store.calls("load"), 0u);
  EXPECT_EQ(store.calls("save"), 1u);
}

TEST_F(SendCallTest, write_replaces_the_row_that_it_was_made_from) {
  put_row("k", at(6));
  const SendCall call = send({made_from("k", 9, 7)});
  ASSERT_TRUE(call.worked());
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(version_of("k"), at(9));
}

TEST_F(SendCallTest, write_whose_rows_never_arrived_is_saved_where_there_is_none) {
  const SendCall call = send({made_from("k", 9, 7)});
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(version_of("k"), at(9));
}

TEST_F(SendCallTest, row_of_another_writer_stands_and_nothing_is_sent_I5) {
  put_row("k", {6, 4});
  const SendCall call = send({made_from("k", 9, 7)});
  ASSERT_TRUE(call.worked());
  ASSERT_EQ(call.results.size(), 1u);
  EXPECT_EQ(call.results[0].outcome, SaveOutcome::superseded);
  EXPECT_EQ(call.results[0].current->version, (Version{6, 4}));
  EXPECT_EQ(call.again, std::vector<bool>{false});
  EXPECT_EQ(store.calls("save"), 0u);
}

TEST_F(SendCallTest, answers_are_told_in_the_order_of_the_writes) {
  put_row("b", {6, 4});
  put_row("c", at(90));
  const SendCall call =
      send({plain("a", 5), made_from("b", 9, 7), plain("c", 8), made_from("d", 9, 7)});
  ASSERT_EQ(call.results.size(), 4u);
  EXPECT_EQ(call.results[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(call.results[1].outcome, SaveOutcome::superseded);
  EXPECT_EQ(call.results[1].current->version, (Version{6, 4}));
  EXPECT_EQ(call.results[2].outcome, SaveOutcome::superseded);
  EXPECT_EQ(call.results[2].current->version, at(90));
  EXPECT_EQ(call.results[3].outcome, SaveOutcome::saved);
  EXPECT_EQ(version_of("a"), at(5));
  EXPECT_EQ(version_of("d"), at(9));
}

TEST_F(SendCallTest, row_that_became_another_one_it_may_replace_is_tried_once_more) {
  put_row("k", at(6));
  put_row_before_the_save("k", at(7));
  const SendCall call = send({made_from("k", 9, 7)});
  ASSERT_TRUE(call.worked());
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(call.again, std::vector<bool>{true});
  EXPECT_EQ(version_of("k"), at(7)) << "the guard was the row that was looked at (I5)";
}

TEST_F(SendCallTest, first_row_that_appears_after_the_look_is_not_replaced_unseen_I5) {
  put_row_before_the_save("k", {2, 9});
  const SendCall call = send({made_from("k", 9, 7)});
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(version_of("k"), (Version{2, 9}));
  EXPECT_EQ(call.again, std::vector<bool>{true}) << "it is not newer than the guard";
}

TEST_F(SendCallTest, row_that_became_somebody_elses_or_newer_is_not_tried_once_more) {
  put_row("k", at(6));
  put_row_before_the_save("k", {8, 4});
  EXPECT_EQ(send({made_from("k", 9, 7)}).again, std::vector<bool>{false}) << "of another writer";
  put_row("l", at(6));
  put_row_before_the_save("l", at(11));
  EXPECT_EQ(send({made_from("l", 9, 12)}).again, std::vector<bool>{false}) << "newer";
  put_row("m", at(6));
  store.on_call([this](const std::string& operation) {
    if (operation != "save") return;
    Record other = content("m", 9, "\"other\"");
    store.put_row(kSendProject, id_of("m"), other.entry);
  });
  const SendCall same = send({made_from("m", 9, 12)});
  EXPECT_EQ(same.results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(same.again, std::vector<bool>{false}) << "of the same version, with other content";
}

TEST_F(SendCallTest, row_that_went_meanwhile_is_not_looked_into) {
  put_row("k", at(6));
  UnsettledWrite write = made_from("k", 9, 7);
  write.kind = RecordKind::clocks;
  write.write.kind = StoreWrite::Kind::clocks;
  store.on_call([this](const std::string& operation) {
    if (operation == "save") store.drop_row(kSendProject, id_of("k"));
  });
  const SendCall call = send({write});
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(call.results.at(0).current, nullptr);
  EXPECT_EQ(call.again, std::vector<bool>{false});
}

TEST_F(SendCallTest, corrupt_row_is_replaced_whatever_the_guard_I9) {
  put_row("k", at(6));
  store.corrupt_row(kSendProject, id_of("k"), "rubbish");
  const SendCall call = send({made_from("k", 9, 7)});
  ASSERT_TRUE(call.worked());
  EXPECT_EQ(call.results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(version_of("k"), at(9));
}

TEST_F(SendCallTest, rows_that_cannot_be_looked_at_mean_that_nothing_was_sent_I13) {
  store.set_fault([](const std::string& operation) {
    return operation == "load" ? StoreFault::unknown_undone : StoreFault::none;
  });
  const SendCall call = send({plain("a", 5), made_from("k", 9, 7)});
  EXPECT_EQ(call.reply.status, StoreStatus::unavailable) << "not in doubt";
  EXPECT_FALSE(call.reply.message.empty());
  EXPECT_TRUE(call.results.empty());
  EXPECT_EQ(store.calls("save"), 0u);
}

TEST_F(SendCallTest, failed_save_is_told_as_it_was_I13) {
  for (const auto& [fault, status] : {std::pair(StoreFault::unavailable, StoreStatus::unavailable),
                                      std::pair(StoreFault::unknown_done, StoreStatus::unknown)}) {
    store.set_fault([fault = fault](const std::string& operation) {
      return operation == "save" ? fault : StoreFault::none;
    });
    for (const auto& write : {plain("a", 5), made_from("k", 9, 7)}) {
      const SendCall call = send({write});
      EXPECT_FALSE(call.worked());
      EXPECT_EQ(call.reply.status, status);
      EXPECT_TRUE(call.results.empty());
    }
  }
}

TEST_F(SendCallTest, erase_tells_where_its_next_piece_begins_and_one_result) {
  for (int i = 0; i < 5; ++i) put_row("row" + std::to_string(i), at(1));
  const SteadyTime deadline = clock->steady_now() + std::chrono::seconds(10);
  MatchingErase piece{.dataset = "d", .glob = "row*", .version = at(5), .after = {}, .limit = 3};
  const SendCall first = send_erase(store, kSendProject, piece, deadline);
  ASSERT_TRUE(first.worked());
  EXPECT_EQ(first.results.size(), 1u);
  ASSERT_TRUE(first.next);
  piece.after = first.next;
  const SendCall second = send_erase(store, kSendProject, piece, deadline);
  EXPECT_EQ(second.results.size(), 1u);
  EXPECT_FALSE(second.next);
  store.set_fault([](const std::string&) { return StoreFault::unknown_done; });
  const SendCall third = send_erase(store, kSendProject, piece, deadline);
  EXPECT_EQ(third.reply.status, StoreStatus::unknown);
  EXPECT_TRUE(third.results.empty());
}

// A store that breaks its contract.
class LyingStore final : public Store {
 public:
  std::string describe() const override { return "lying"; }
  StoreLimits limits() const override { return {}; }
  LoadReply load(const std::string&, std::span<const EntryId>, SteadyTime) override { return {}; }
  SaveReply save(const std::string&, std::span<const StoreWrite>, SteadyTime) override {
    return answer ? answer() : throw std::runtime_error("surprise");
  }
  ScanReply scan(const std::string&, const std::string&, const std::string&, std::size_t,
                 SteadyTime) override {
    return {};
  }
  EraseMatchingReply erase_matching(const std::string&, const MatchingErase&, SteadyTime) override {
    throw 1;
  }
  std::function<SaveReply()> answer;
};

class SendCallToALiar : public SendCallTest {
 protected:
  SendCall send(const UnsettledWrite& write) {
    return send_writes(liar, kSendProject, {&write, 1}, kNever);
  }
  LyingStore liar;
};

TEST_F(SendCallToALiar, answer_for_another_number_of_writes_is_in_doubt_and_says_so) {
  liar.answer = [] { return SaveReply{}; };
  const SendCall call = send(plain("k", 1));
  EXPECT_EQ(call.reply.status, StoreStatus::unknown);
  EXPECT_EQ(call.reply.message, "the store gave 0 results for 1 write");
  EXPECT_TRUE(call.results.empty());
}

TEST_F(SendCallToALiar, failure_keeps_its_own_message) {
  liar.answer = [] {
    SaveReply reply;
    reply.status = StoreStatus::unavailable;
    reply.message = "away";
    return reply;
  };
  const SendCall call = send(plain("k", 1));
  EXPECT_EQ(call.reply.status, StoreStatus::unavailable);
  EXPECT_EQ(call.reply.message, "away");
}

TEST_F(SendCallToALiar, exception_is_in_doubt) {
  EXPECT_EQ(send(plain("k", 1)).reply.status, StoreStatus::unknown);
}

TEST_F(SendCallToALiar, plain_write_said_to_lose_to_an_older_row_is_not_sent_for_ever) {
  liar.answer = [] {
    SaveReply reply;
    reply.results.push_back(
        {SaveOutcome::superseded, std::make_shared<const Entry>(content("k", 3, "1").entry), {}});
    return reply;
  };
  const SendCall call = send(plain("k", 5));
  ASSERT_TRUE(call.worked());
  EXPECT_EQ(call.again, std::vector<bool>{false});
}

}  // namespace
}  // namespace tiercache::testing
