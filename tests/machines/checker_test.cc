// The checker finds what it is there for.
#include "machines/checker.h"

#include <gtest/gtest.h>

#include "machines/setup.h"

namespace tiercache::testing {
namespace {

constexpr std::uint8_t kExactKey = 0;
constexpr std::uint8_t kFreeKey = kExact;
constexpr std::uint8_t kRegister = kExact + kFree;
constexpr std::uint8_t kStaleKey = kRegister + kRegisters;
constexpr std::uint8_t kErasable = kKeys - kErasables;

std::uint64_t counted(std::uint64_t count, std::uint64_t write) {
  return (count << kWriteBits) + write;
}

class MachinesChecker : public ::testing::Test {
 protected:
  // A write that was told `told` and got `version`; counts name what they were made from.
  std::uint64_t wrote(Op op, std::uint8_t key, Told told, std::uint64_t version,
                      std::uint64_t count = 0, std::uint64_t base = 0,
                      std::uint64_t base_number = 0) {
    Call call{.op = op, .key = key, .number = counted(count, ++writes_)};
    call.set_base({base, base == 0 ? 0u : 1u});
    call.base_number = base_number;
    std::vector<Call> calls{call};
    if (told != Told::nothing) {
      call.told = told;
      call.set_version({version, 1});
      calls.push_back(call);
    }
    checker_.add(calls);
    return call.number;
  }
  void stands(std::uint8_t key, std::uint64_t version, std::uint64_t number) {
    rows_[key] = {.document = true, .fresh = true, .number = number, .version = {version, 1}};
  }
  // All violations there are, if they are of this kind.
  std::uint64_t found(Wrong wrong) {
    checker_.check_rows(rows_);
    EXPECT_EQ(checker_.violations(), wrong == Wrong::unseen ? 0 : checker_.count(wrong));
    return checker_.count(wrong);
  }

  Checker checker_;
  std::vector<Standing> rows_ = std::vector<Standing>(kKeys);
  std::uint64_t writes_ = 0;
};

TEST_F(MachinesChecker, takes_a_chain_of_which_some_links_were_never_told) {
  const auto one = wrote(Op::count, kExactKey, Told::stored, 10, 1);
  const auto two = wrote(Op::count, kExactKey, Told::nothing, 0, 2, 10, one);
  wrote(Op::count, kExactKey, Told::superseded, 19, 2, 10, one);
  stands(kExactKey, 30, wrote(Op::count, kExactKey, Told::stored, 30, 3, 20, two));
  EXPECT_EQ(found(Wrong::lost), 0u);
  EXPECT_EQ(checker_.counted(), 3u);
}

TEST_F(MachinesChecker, finds_two_confirmed_counts_on_the_same_base) {
  const auto one = wrote(Op::count, kExactKey, Told::stored, 10, 1);
  wrote(Op::count, kExactKey, Told::stored, 19, 2, 10, one);
  stands(kExactKey, 20, wrote(Op::count, kExactKey, Told::stored, 20, 2, 10, one));
  EXPECT_EQ(found(Wrong::lost), 1u);
}

TEST_F(MachinesChecker, finds_a_count_that_was_told_to_have_lost_and_stands) {
  stands(kExactKey, 10, wrote(Op::count, kExactKey, Told::superseded, 10, 1));
  EXPECT_EQ(found(Wrong::lied), 1u);
}

TEST_F(MachinesChecker, finds_a_journaled_count_that_vanished_though_nothing_came_after_its_base) {
  const auto one = wrote(Op::count, kFreeKey, Told::stored, 10, 1);
  wrote(Op::count, kFreeKey, Told::journaled, 20, 2, 10, one);
  stands(kFreeKey, 10, one);
  EXPECT_EQ(found(Wrong::lost), 1u);
}

TEST_F(MachinesChecker, takes_a_journaled_count_that_lost_to_another_on_its_base) {
  const auto one = wrote(Op::count, kFreeKey, Told::stored, 10, 1);
  wrote(Op::count, kFreeKey, Told::journaled, 20, 2, 10, one);
  stands(kFreeKey, 15, wrote(Op::count, kFreeKey, Told::stored, 15, 2, 10, one));
  EXPECT_EQ(found(Wrong::lost), 0u);
}

TEST_F(MachinesChecker, tells_apart_what_a_count_from_an_unconfirmed_one_replaced) {
  for (const std::uint8_t key : {kFreeKey, kExactKey}) {
    const auto one = wrote(Op::count, key, Told::stored, 10, 1);
    const auto unconfirmed = wrote(Op::count, key, Told::journaled, 20, 2, 10, one);
    wrote(Op::count, key, Told::stored, 15, 2, 10, one);
    stands(key, 30, wrote(Op::count, key, Told::stored, 30, 3, 20, unconfirmed));
  }
  checker_.check_rows(rows_);
  EXPECT_EQ(checker_.count(Wrong::unseen), 1u);
  EXPECT_EQ(checker_.count(Wrong::lost), 1u) << "of an exact counter it is promised";
}

TEST_F(MachinesChecker, finds_an_acknowledged_put_below_which_the_row_stands) {
  const auto one = wrote(Op::put, kRegister, Told::journaled, 10);
  wrote(Op::put, kRegister, Told::journaled, 20);
  stands(kRegister, 10, one);
  EXPECT_EQ(found(Wrong::lost), 1u);
}

TEST_F(MachinesChecker, finds_an_erased_entry_that_is_back) {
  const auto one = wrote(Op::put, kErasable, Told::stored, 10);
  wrote(Op::erase, kErasable, Told::journaled, 20);
  stands(kErasable, 10, one);
  EXPECT_EQ(found(Wrong::returned), 1u);
}

TEST_F(MachinesChecker, finds_a_document_that_nobody_put) {
  stands(kRegister, 10, 77);
  EXPECT_EQ(found(Wrong::bytes), 1u);
}

TEST_F(MachinesChecker, finds_an_invalidated_entry_that_is_fresh_in_the_store_or_on_a_machine) {
  stands(kStaleKey, 10, wrote(Op::put, kStaleKey, Told::stored, 10));
  wrote(Op::invalidate, kStaleKey, Told::journaled, 10);
  EXPECT_EQ(found(Wrong::fresh), 1u);
  auto local = rows_;
  local[kStaleKey].fresh = false;
  checker_.check_machine("here", rows_, local);
  EXPECT_EQ(checker_.violations(), 1u);
  checker_.check_machine("here", rows_, rows_);
  EXPECT_EQ(checker_.count(Wrong::fresh), 2u);
}

TEST_F(MachinesChecker, finds_a_machine_that_has_something_else_than_the_store) {
  stands(kRegister, 10, wrote(Op::put, kRegister, Told::stored, 10));
  checker_.check_machine("here", rows_, std::vector<Standing>(kKeys));
  EXPECT_EQ(found(Wrong::differs), 1u);
}

}  // namespace
}  // namespace tiercache::testing
