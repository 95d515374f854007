// The datasets that are open: one of a name, whose number no other has.
#include "cache/runtime/datasets.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

TEST(DatasetsTest, name_that_is_open_gives_the_first_one_with_its_own_policy) {
  Ground ground;
  DatasetState& first =
      ground.open("d", [](DatasetPolicy& policy) { policy.options.keyed = true; });
  DatasetPolicy other;
  const Datasets::Opened again = ground.runtime.datasets.open("d", other);
  EXPECT_EQ(&again.dataset, &first);
  EXPECT_FALSE(again.first);
  EXPECT_TRUE(again.dataset.policy.options.keyed);
}

TEST(DatasetsTest, dataset_that_is_not_open_is_not_found) {
  Ground ground;
  EXPECT_EQ(ground.runtime.datasets.find("d"), nullptr);
  DatasetState& dataset = ground.open();
  EXPECT_EQ(ground.runtime.datasets.find("d"), &dataset);
  EXPECT_EQ(ground.runtime.datasets.find("D"), nullptr);
}

TEST(DatasetsTest, visits_are_in_the_order_of_names) {
  Ground ground;
  for (const char* name : {"b", "c", "a"}) ground.open(name);
  std::vector<std::string> visited;
  ground.runtime.datasets.for_each(
      [&](const DatasetState& dataset) { visited.push_back(dataset.name); });
  EXPECT_EQ(visited, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(ground.runtime.datasets.names(), visited);
}

TEST(DatasetsTest, thousand_datasets_have_as_many_numbers) {
  Ground ground;
  std::set<std::uint32_t> numbers;
  for (int i = 0; i < 1'000; ++i) numbers.insert(ground.open("d" + std::to_string(i)).number);
  EXPECT_EQ(numbers.size(), 1'000u);
}

TEST(DatasetsTest, document_that_validate_refuses_gives_no_resident) {
  Ground ground;
  DatasetState& dataset = ground.open("d", [](DatasetPolicy& policy) {
    policy.validate = [](const void* value) {
      return *static_cast<const std::string*>(value) != "bad";
    };
  });
  EXPECT_THROW((void)dataset.resident_of(document(1, "bad")), std::runtime_error);
  const ResidentPtr good = dataset.resident_of(document(1, "good"));
  EXPECT_EQ(good->kind, ResidentKind::document);
  EXPECT_EQ(*good->entry.document, "good");
  EXPECT_EQ(dataset.resident_of(tombstone(1))->kind, ResidentKind::tombstone);
}

TEST(DatasetsTest, turns_have_the_interval_and_jitter_of_their_cadence) {
  Ground ground;
  const DatasetState& dataset = ground.open("d", [](DatasetPolicy& policy) {
    policy.options.refresh_every = 10min;
    policy.options.refresh_jitter = 7s;
    policy.options.rich_refresh_every = 100min;
  });
  EXPECT_EQ(dataset.schedule(Cadence::normal).every, 10min);
  EXPECT_EQ(dataset.schedule(Cadence::normal).jitter, 7s);
  EXPECT_EQ(dataset.schedule(Cadence::rich).every, 100min);
  EXPECT_EQ(dataset.schedule(Cadence::rich).jitter, 5min);
}

}  // namespace
}  // namespace tiercache::detail
