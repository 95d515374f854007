// The place in the change feed, against a model of a server whose transactions begin, commit and
// roll back in any order.
#include "feed_cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

namespace tiercache::postgres {
namespace {

using ::testing::ElementsAre;

FeedCursor cursor_at(Snapshot told) {
  return {.incarnation = "i", .history = "h-1", .told = std::move(told), .inside = std::nullopt};
}

TEST(FeedCursor, text_is_read_as_it_was_written) {
  FeedCursor cursor =
      cursor_at({.end = 5'000'000'000, .running = {7, 4'999'999'990, 4'999'999'999}});
  cursor.inside = FeedCursor::Inside{7, 12};
  const auto read = FeedCursor::parse(cursor.to_string());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->incarnation, "i");
  EXPECT_EQ(read->history, "h-1");
  EXPECT_EQ(read->told.end, 5'000'000'000u);
  EXPECT_THAT(read->told.running, ElementsAre(7, 4'999'999'990, 4'999'999'999));
  EXPECT_EQ(read->inside->transaction, 7u);
  EXPECT_EQ(read->inside->row, 12);
  EXPECT_EQ(read->to_string(), cursor.to_string());
}

TEST(FeedCursor, text_of_an_earlier_program_is_understood) {
  const auto between = FeedCursor::parse("0b1c/745/0");
  ASSERT_TRUE(between);
  EXPECT_EQ(between->told.end, 745u);
  EXPECT_TRUE(between->told.running.empty());
  EXPECT_FALSE(between->inside);
  EXPECT_FALSE(between->history);
  const auto inside = FeedCursor::parse("0b1c/745/3");
  ASSERT_TRUE(inside);
  EXPECT_FALSE(inside->told.sees(745));
  EXPECT_EQ(inside->inside->transaction, 745u);
  EXPECT_EQ(inside->inside->row, 3);
}

// An earlier program took what stands between the first and the last slash for one number, and a
// cursor without one for a gap.
TEST(FeedCursor, text_is_a_gap_for_an_earlier_program) {
  const std::string text = cursor_at({.end = 745, .running = {744}}).to_string();
  const std::size_t first = text.find('/');
  EXPECT_NE(text.substr(first + 1, text.rfind('/') - first - 1).find('/'), std::string::npos);
}

TEST(FeedCursor, other_texts_are_none) {
  for (const char* text : {"", "x", "a/b/c", "a/1", "i/2/h/10//x", "i/2/h/10/11/", "i/2/h/10/0/",
                           "i/2/h/10/1./", "i/2/h//1/", "i/3/h/10/1/", "i/2/h/10/1/8.1",
                           "i/2/h/10/1/11.1", "i/2/h/-1/1/", "i/2/h/10/1/9.x", "i/2/h/10/1/9"}) {
    EXPECT_FALSE(FeedCursor::parse(text)) << text;
  }
  EXPECT_TRUE(FeedCursor::parse("i/2/h/10/1/9.1"));
  EXPECT_TRUE(FeedCursor::parse("i/2/h/10/1/10.1"));
}

// What the cache keeps in its directory is at most 2,048 bytes.
TEST(FeedCursor, text_stays_short_beside_hundreds_of_transactions) {
  Snapshot told{.end = 91'000'000'000, .running = {90'000'000'000}};
  for (std::uint64_t i = 0; i < 600; ++i) told.running.push_back(told.end - 1'800 + 3 * i);
  FeedCursor cursor = cursor_at(told);
  cursor.incarnation = std::string(36, 'i');
  cursor.history = "7713787675085890702-12";
  EXPECT_LT(cursor.to_string().size(), 2'048u);
}

TEST(Snapshot, text_of_the_server_is_read) {
  const auto idle = Snapshot::parse("727:727:");
  ASSERT_TRUE(idle);
  EXPECT_TRUE(idle->sees(726));
  EXPECT_FALSE(idle->sees(727));
  const auto busy = Snapshot::parse("10:20:10,14,15");
  ASSERT_TRUE(busy);
  EXPECT_THAT(busy->running, ElementsAre(10, 14, 15));
  EXPECT_FALSE(busy->sees(14));
  EXPECT_TRUE(busy->sees(16));
  for (const char* text : {"", "1", "1:2", "a:b:", "1:2:3", "1:2:x", "1:2:1,"}) {
    EXPECT_FALSE(Snapshot::parse(text)) << text;
  }
}

// Rows as the server keeps them, and the rules by which it tells them (change_feed.cc).
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {}

  void step() {
    const unsigned what = pick(10);
    if (what < 4) {
      begin();
    } else if (what < 8) {
      end(what < 7);
    } else {
      poll(1 + pick(3));
    }
  }
  void settle() {
    while (!running_.empty()) end(true);
    for (int i = 0; i < 1'000 && poll(3); ++i) {
    }
  }

  using Row = std::pair<std::uint64_t, std::int64_t>;
  std::set<Row> committed() const { return committed_; }
  std::map<Row, int> told;

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  // Some transactions are of others, and leave no row.
  void begin() { running_[next_++] = static_cast<int>(pick(6)); }
  void end(bool commits) {
    if (running_.empty()) return;
    auto one = running_.begin();
    std::advance(one, pick(static_cast<unsigned>(running_.size())));
    for (int row = 1; commits && row <= one->second; ++row) committed_.insert({one->first, row});
    running_.erase(one);
  }

  Snapshot now() const {
    Snapshot snapshot{.end = next_, .running = {}};
    for (const auto& [transaction, rows] : running_) snapshot.running.push_back(transaction);
    return snapshot;
  }
  // True: there were more than `limit`.
  bool poll(std::size_t limit) {
    const Snapshot seen = now();
    const auto from = FeedCursor::parse(cursor_).value();
    std::vector<std::tuple<bool, std::uint64_t, std::int64_t>> page;
    for (const auto& [transaction, row] : committed_) {
      if (from.told.sees(transaction)) continue;
      const bool inside = from.inside && from.inside->transaction == transaction;
      if (inside && row <= from.inside->row) continue;
      page.push_back({!inside, transaction, row});
    }
    std::sort(page.begin(), page.end());
    const bool more = page.size() > limit;
    if (more) page.resize(limit);
    for (const auto& [later, transaction, row] : page) ++told[{transaction, row}];
    const auto& [later, transaction, row] = more ? page.back() : decltype(page)::value_type{};
    cursor_ = (more ? from.behind(seen, {transaction, row}) : from.behind(seen)).to_string();
    return more;
  }

  std::mt19937_64 random_;
  std::uint64_t next_ = 100;
  std::map<std::uint64_t, int> running_;  // with the rows that each will have
  std::set<Row> committed_;
  std::string cursor_ = cursor_at({.end = 100, .running = {}}).to_string();
};

TEST(FeedCursor, pages_tell_every_committed_row_once_in_any_order_of_ends_I4_I10) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int i = 0; i < 200; ++i) model.step();
    model.settle();
    ASSERT_EQ(model.told.size(), model.committed().size());
    for (const auto& [row, times] : model.told) {
      ASSERT_TRUE(model.committed().contains(row));
      ASSERT_EQ(times, 1);
    }
  }
}

}  // namespace
}  // namespace tiercache::postgres
