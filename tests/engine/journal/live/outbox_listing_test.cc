#include "journal/live/outbox_listing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/journal/live/live_index_fixture.h"

namespace tiercache::testing {
namespace {

class OutboxListingTest : public LiveIndexTest {
 protected:
  static constexpr int kBits = Version::kCounterBits;

  std::vector<OutboxWrite> pending(OutboxQuery query = {}) {
    query.state = OutboxState::pending;
    return list_unsettled(index, query);
  }
  void add_parked(const Record& record) {
    add(record);
    const SlotName parked = slot(record.id.key, record.kind);
    ASSERT_TRUE(index.park(parked, record.entry.version, "no"));
  }
};

TEST_F(OutboxListingTest, write_is_listed_with_what_it_is_how_large_and_since_when) {
  add(content("k", std::uint64_t{5'000} << kBits, "1"));
  const std::vector<OutboxWrite> all = pending();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id, id_of("k"));
  EXPECT_EQ(all[0].version, at(std::uint64_t{5'000} << kBits));
  EXPECT_EQ(all[0].kind, OutboxKind::document);
  EXPECT_EQ(all[0].state, OutboxState::pending);
  EXPECT_EQ(all[0].bytes, 64u);
  EXPECT_EQ(all[0].since, ms(5'000));
  EXPECT_EQ(all[0].why, "");
}

TEST_F(OutboxListingTest, each_kind_is_told_from_the_others) {
  add(tombstone("erased", 1));
  add(clocks("moved", 2, {ms(9), {}, {}}));
  add(erase_matching("user/*", 3));
  const std::vector<OutboxWrite> all = pending();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].kind, OutboxKind::tombstone);
  EXPECT_EQ(all[1].kind, OutboxKind::clocks);
  EXPECT_EQ(all[2].kind, OutboxKind::erase_matching);
}

TEST_F(OutboxListingTest, clocks_are_there_since_the_latest_of_them) {
  for (const Clocks& moved :
       {Clocks{ms(9), ms(3), ms(5)}, Clocks{ms(5), ms(9), {}}, Clocks{{}, ms(3), ms(9)}}) {
    LiveIndex alone{true};
    alone.add_segment(1);
    alone.add(clocks("k", std::uint64_t{5'000} << kBits, moved), {1, 64, 64});
    EXPECT_EQ(list_unsettled(alone, {.state = OutboxState::pending}).at(0).since, ms(9));
  }
  add(clocks("unmoved", 1, {}));
  EXPECT_EQ(pending().at(0).since, ms(0));
}

TEST_F(OutboxListingTest, parked_and_pending_are_listed_apart) {
  add_parked(content("parked", 1, "1"));
  add(content("pending", 2, "1"));
  ASSERT_EQ(pending().size(), 1u);
  EXPECT_EQ(pending()[0].id, id_of("pending"));
  const std::vector<OutboxWrite> parked = list_unsettled(index, {.state = OutboxState::parked});
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].id, id_of("parked"));
  EXPECT_EQ(parked[0].state, OutboxState::parked);
  EXPECT_EQ(parked[0].why, "no");
}

TEST_F(OutboxListingTest, page_goes_on_behind_the_last_write_of_the_one_before) {
  add(content("a", 5, "1"));
  add(clocks("a", 5, {ms(3), {}, {}}));
  add(clocks("b", 5, {ms(3), {}, {}}));
  add(erase_matching("z*", 5));
  add(content("c", 6, "1"));
  std::vector<std::string> keys;
  OutboxQuery query{.limit = 1};
  for (auto page = pending(query); !page.empty(); page = pending(query)) {
    ASSERT_EQ(page.size(), 1u);
    keys.push_back(page[0].id.key);
    query.after = page[0];
    ASSERT_LE(keys.size(), 5u);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "a", "b", "z*", "c"}));
}

TEST_F(OutboxListingTest, one_dataset_alone_is_listed_where_that_is_asked_for) {
  add(content("k", 1, "1"));
  Record other = content("k", 2, "1");
  other.id.dataset = "e";
  add(other);
  ASSERT_EQ(pending({.dataset = "e"}).size(), 1u);
  EXPECT_EQ(pending({.dataset = "e"})[0].version, at(2));
  EXPECT_EQ(pending().size(), 2u);
}

TEST_F(OutboxListingTest, what_is_parked_of_a_key_is_listed_by_its_name_and_version) {
  add_parked(content("k", 5, "1"));
  add_parked(clocks("k", 6, {ms(9), {}, {}}));
  add_parked(content("other", 5, "1"));
  EXPECT_EQ(list_parked(index, id_of("k"), {}).size(), 2u);
  const std::vector<OutboxWrite> one = list_parked(index, id_of("k"), at(6));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].kind, OutboxKind::clocks);
  EXPECT_EQ(one[0].state, OutboxState::parked);
  EXPECT_TRUE(list_parked(index, id_of("none"), {}).empty());
}

}  // namespace
}  // namespace tiercache::testing
