// What the store has of a dataset comes into the files when it is opened.
#include "cache/upkeep/hydration.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Names = std::vector<std::string>;

// `count` rows; the higher the number in the key, the later it was updated.
void put_rows(Ground& ground, int count) {
  for (int n = 0; n < count; ++n) {
    Entry row = document(static_cast<std::uint64_t>(n) + 1);
    row.clocks.last_fetch = kStart - 1h + std::chrono::milliseconds(n);
    ground.put_row(row, {"d", std::to_string(n)});
  }
}

class HydrationTest : public ::testing::Test {
 protected:
  DatasetState& open(Hydrate hydrate) {
    return ground.open("d", [hydrate](DatasetPolicy& policy) { policy.options.hydrate = hydrate; });
  }
  std::uint64_t filed() { return room.writing.local.tiers.index().count("d"); }

  Ground ground;
  UpkeepRoom room{ground};
  Hydration& hydration = room.parts.hydration;
};

TEST_F(HydrationTest, rows_come_page_by_page_and_the_end_is_told_once) {
  put_rows(ground, 1'200);
  hydration.begin(open(Hydrate::all()));
  EXPECT_TRUE(hydration.is_running());
  EXPECT_TRUE(room.hydrated.empty()) << "it goes on behind the caller's back";
  ground.run_ready();
  EXPECT_EQ(filed(), 1'200u);
  EXPECT_EQ(room.hydrated, Names{"d"});
  EXPECT_FALSE(hydration.is_running());
  EXPECT_EQ(ground.store->calls("scan"), 3u);
}

TEST_F(HydrationTest, most_recent_ones_come_alone_where_no_more_are_wanted) {
  put_rows(ground, 700);
  hydration.begin(open(Hydrate::recent(600)));
  ground.run_ready();
  EXPECT_EQ(filed(), 600u);
  EXPECT_TRUE(room.writing.local.tiers.index().find({"d", "699"}));
  EXPECT_FALSE(room.writing.local.tiers.index().find({"d", "0"}));
}

TEST_F(HydrationTest, dataset_that_wants_nothing_is_hydrated_at_once) {
  hydration.begin(open(Hydrate::none()));
  EXPECT_EQ(room.hydrated, Names{"d"});
  EXPECT_EQ(ground.store->calls("scan"), 0u);
}

TEST_F(HydrationTest, dataset_without_a_store_is_hydrated_at_once) {
  Ground without([](CacheOptions& options) { options.store = nullptr; });
  UpkeepRoom alone(without);
  alone.parts.hydration.begin(without.open());
  EXPECT_EQ(alone.hydrated, Names{"d"});
  EXPECT_FALSE(alone.parts.hydration.is_running());
}

TEST_F(HydrationTest, store_that_does_not_say_what_it_has_ends_it) {
  ground.store_does(StoreFault::unavailable);
  hydration.begin(open(Hydrate::all()));
  ground.run_ready();
  EXPECT_EQ(room.hydrated, Names{"d"});
  EXPECT_FALSE(hydration.is_running());
}

// What is not judged by the store's timestamps in time is at least there later.
TEST_F(HydrationTest, store_that_answers_later_gives_the_rest_then) {
  put_rows(ground, 1'200);
  int scans = 0;
  ground.store->set_fault([&](const std::string& operation) {
    if (operation != "scan") return StoreFault::none;
    ++scans;
    return scans == 1 || scans == 3 ? StoreFault::unavailable : StoreFault::none;
  });
  hydration.begin(open(Hydrate::all()));
  ground.run_ready();
  EXPECT_EQ(room.hydrated, Names{"d"}) << "it is judged by what is here";
  EXPECT_FALSE(hydration.is_running());
  ground.run_for(10min);
  EXPECT_EQ(filed(), 1'200u);
  EXPECT_EQ(room.hydrated, (Names{"d", "d"}));
  EXPECT_EQ(scans, 5) << "no page was read twice";
  EXPECT_FALSE(hydration.is_running());
}

TEST_F(HydrationTest, cache_that_closes_does_not_ask_again) {
  ground.store_does(StoreFault::unavailable);
  hydration.begin(open(Hydrate::all()));
  ground.run_ready();
  const auto scans = ground.store->calls("scan");
  ground.runtime.tasks.close();
  ground.run_for(10min);
  EXPECT_EQ(ground.store->calls("scan"), scans);
}

TEST_F(HydrationTest, rows_of_another_store_are_not_kept_I1) {
  put_rows(ground, 3);
  room.writing.local.belong_to_another_store();
  hydration.begin(open(Hydrate::all()));
  ground.run_ready();
  EXPECT_EQ(filed(), 0u);
  EXPECT_EQ(room.hydrated, Names{"d"});
}

TEST_F(HydrationTest, cache_that_closes_reads_no_further_page) {
  put_rows(ground, 1'200);
  hydration.begin(open(Hydrate::all()));
  ground.store->on_call([this](const std::string& operation) {
    if (operation == "scan") ground.runtime.tasks.close();
  });
  ground.run_ready();
  EXPECT_EQ(ground.store->calls("scan"), 1u);
  EXPECT_FALSE(hydration.is_running());
}

TEST_F(HydrationTest, files_that_are_full_take_no_further_page) {
  Ground bounded([](CacheOptions& options) { options.files.max_entries = 100; });
  UpkeepRoom full(bounded);
  put_rows(bounded, 1'200);
  full.parts.hydration.begin(bounded.open());
  bounded.run_ready();
  EXPECT_EQ(bounded.store->calls("scan"), 1u);
  EXPECT_EQ(full.hydrated, Names{"d"});
}

}  // namespace
}  // namespace tiercache::detail
