// Who waits for the store hears what it said of this very write, or that it is not known (I13).
#include "cache/writing/settlements.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using How = Settled::How;

UnsettledWrite sent(RecordKind kind, std::uint64_t time, const std::string& key = "k") {
  UnsettledWrite write;
  write.kind = kind;
  write.write.id = {"d", key};
  write.write.entry.version = version(time);
  return write;
}

class SettlementsTest : public ::testing::Test {
 protected:
  Settlements::WaiterPtr expect(Settlements::Write write) {
    auto waiter = std::make_shared<Settlements::Waiter>(
        [this](const Settled& settled) { told.push_back(settled); });
    settlements.expect(std::move(write), waiter);
    return waiter;
  }
  Settlements::WaiterPtr expect(std::uint64_t time, const std::string& key = "k") {
    return expect({.kind = RecordKind::content, .id = {"d", key}, .version = version(time)});
  }
  Settlements::WaiterPtr expect_clocks(WallTime when) {
    return expect(
        {.kind = RecordKind::clocks, .id = kId, .version = version(5), .clocks = fetched_at(when)});
  }
  void settle(const UnsettledWrite& write, SaveOutcome outcome = SaveOutcome::saved) {
    settlements.settled(write, {outcome, nullptr, "why"});
  }
  // What the only waiter was told; nullopt: nothing yet.
  std::optional<How> how() const {
    return told.empty() ? std::nullopt : std::optional(told.back().how);
  }

  Settlements settlements;
  std::vector<Settled> told;
};

TEST_F(SettlementsTest, outcome_of_the_very_write_is_told_as_it_is) {
  const std::vector<std::pair<SaveOutcome, How>> outcomes{
      {SaveOutcome::saved, How::stored},
      {SaveOutcome::already_saved, How::stored},
      {SaveOutcome::superseded, How::superseded},
      {SaveOutcome::refused, How::refused}};
  for (const auto& [outcome, expected] : outcomes) {
    expect(5);
    settle(sent(RecordKind::content, 5), outcome);
    EXPECT_EQ(how(), expected);
    EXPECT_EQ(told.back().why, "why");
  }
  EXPECT_EQ(told.size(), outcomes.size()) << "each was told once";
}

TEST_F(SettlementsTest, other_keys_and_older_writes_of_the_key_tell_nothing) {
  expect(5);
  settle(sent(RecordKind::content, 5, "other"));
  settle(sent(RecordKind::content, 4));
  settle(sent(RecordKind::clocks, 5));
  EXPECT_EQ(how(), std::nullopt);
}

TEST_F(SettlementsTest, write_that_a_later_one_replaced_is_superseded_or_stored_in_it_I13) {
  expect(5);
  settle(sent(RecordKind::content, 7));
  EXPECT_EQ(how(), How::superseded);
  UnsettledWrite made_from = sent(RecordKind::content, 7);
  made_from.made_from.add(version(5));
  expect(5);
  settle(made_from);
  EXPECT_EQ(how(), How::stored);
  expect(5);
  settle(made_from, SaveOutcome::superseded);
  EXPECT_EQ(how(), How::superseded) << "it was made from it, and lost";
}

TEST_F(SettlementsTest, clocks_that_went_along_with_content_are_stored_where_that_was_taken) {
  UnsettledWrite content = sent(RecordKind::content, 7);
  content.write.entry.clocks = fetched_at(kStart);
  expect_clocks(kStart + 1s);
  settle(content);
  EXPECT_EQ(how(), std::nullopt) << "others than these";
  expect_clocks(kStart);
  settle(content, SaveOutcome::superseded);
  EXPECT_EQ(how(), std::nullopt);
  settle(content);
  EXPECT_EQ(how(), How::stored);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(SettlementsTest, clocks_are_settled_by_clocks_that_say_as_much) {
  UnsettledWrite moved = sent(RecordKind::clocks, 5);
  moved.write.entry.clocks = fetched_at(kStart);
  expect_clocks(kStart + 1s);
  settle(moved);
  EXPECT_EQ(how(), std::nullopt);
  moved.write.entry.clocks = fetched_at(kStart + 2s);
  settle(moved, SaveOutcome::superseded);
  EXPECT_EQ(how(), How::superseded);
}

TEST_F(SettlementsTest, erase_that_was_saved_supersedes_what_it_hides_and_nothing_newer) {
  expect(5, "k1");
  settle(sent(RecordKind::erase_matching, 5, "k*"));
  EXPECT_EQ(how(), std::nullopt) << "of its own version";
  settle(sent(RecordKind::erase_matching, 4, "k*"));
  EXPECT_EQ(how(), std::nullopt) << "the write is newer";
  settle(sent(RecordKind::erase_matching, 9, "x*"));
  EXPECT_EQ(how(), std::nullopt) << "not of its keys";
  settle(sent(RecordKind::erase_matching, 9, "k*"), SaveOutcome::refused);
  EXPECT_EQ(how(), std::nullopt) << "it has erased nothing";
  settle(sent(RecordKind::erase_matching, 9, "k*"));
  EXPECT_EQ(how(), How::superseded);
}

TEST_F(SettlementsTest, erase_settles_no_clocks) {
  expect_clocks(kStart);
  settle(sent(RecordKind::erase_matching, 9, "*"));
  EXPECT_EQ(how(), std::nullopt);
}

TEST_F(SettlementsTest, erase_is_settled_by_itself_or_a_newer_one_of_its_glob) {
  const Settlements::Write erase{
      .kind = RecordKind::erase_matching, .id = {"d", "k*"}, .version = version(5)};
  expect(erase);
  settle(sent(RecordKind::erase_matching, 4, "k*"));
  EXPECT_EQ(how(), std::nullopt);
  settle(sent(RecordKind::erase_matching, 5, "k*"), SaveOutcome::refused);
  EXPECT_EQ(how(), How::refused);
  expect(erase);
  settle(sent(RecordKind::erase_matching, 6, "k*"));
  EXPECT_EQ(how(), How::stored);
  EXPECT_EQ(told.size(), 2u);
}

TEST_F(SettlementsTest, erase_of_a_glob_in_brackets_is_settled_although_it_does_not_match_itself) {
  expect({.kind = RecordKind::erase_matching, .id = {"d", "[ab]"}, .version = version(5)});
  settle(sent(RecordKind::erase_matching, 5, "[ab]"));
  EXPECT_EQ(how(), How::stored);
}

TEST_F(SettlementsTest, erases_of_other_datasets_reach_nobody) {
  expect({.kind = RecordKind::content, .id = {"e", "k"}, .version = version(5)});
  expect({.kind = RecordKind::content, .id = {"c", "k"}, .version = version(5)});
  settle(sent(RecordKind::erase_matching, 9, "*"));
  EXPECT_EQ(how(), std::nullopt);
}

TEST_F(SettlementsTest, write_whose_sending_was_broken_off_is_superseded_in_doubt_I13) {
  expect(5);
  settlements.in_doubt(sent(RecordKind::content, 5));
  settle(sent(RecordKind::content, 7));
  EXPECT_TRUE(told.back().in_doubt) << "it may have stood there before";
  expect(5);
  settlements.in_doubt(sent(RecordKind::content, 4));
  settlements.in_doubt(sent(RecordKind::content, 5, "other"));
  settle(sent(RecordKind::content, 7));
  EXPECT_FALSE(told.back().in_doubt);
  expect(5);
  settlements.in_doubt(sent(RecordKind::content, 5));
  settle(sent(RecordKind::content, 5));
  EXPECT_FALSE(told.back().in_doubt) << "the store has it: no doubt is left";
}

TEST_F(SettlementsTest, clocks_are_in_doubt_where_what_was_sent_says_as_much) {
  UnsettledWrite moved = sent(RecordKind::clocks, 5);
  moved.write.entry.clocks = fetched_at(kStart);
  expect_clocks(kStart);
  settlements.in_doubt(moved);
  settle(moved, SaveOutcome::superseded);
  EXPECT_TRUE(told.back().in_doubt);
  expect_clocks(kStart + 1s);
  settlements.in_doubt(moved);
  moved.write.entry.clocks = fetched_at(kStart + 1s);
  settle(moved, SaveOutcome::superseded);
  EXPECT_FALSE(told.back().in_doubt);
}

TEST_F(SettlementsTest, waiter_that_was_forgotten_is_told_nothing_and_others_are) {
  const auto first = expect(5);
  expect(5);
  settlements.forget(first);
  settlements.forget(nullptr);
  settlements.forget(first);
  settle(sent(RecordKind::content, 5));
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(SettlementsTest, close_answers_who_still_waits_once) {
  expect(5);
  expect(6, "other");
  settlements.close();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(how(), How::closed);
  settle(sent(RecordKind::content, 5));
  settlements.close();
  EXPECT_EQ(told.size(), 2u);
}

TEST_F(SettlementsTest, handler_may_expect_the_next_write) {
  auto again = std::make_shared<Settlements::Waiter>([this](const Settled&) { expect(7); });
  settlements.expect({.kind = RecordKind::content, .id = kId, .version = version(5)}, again);
  settle(sent(RecordKind::content, 5));
  settle(sent(RecordKind::content, 7));
  EXPECT_EQ(how(), How::stored);
}

}  // namespace
}  // namespace tiercache::detail
