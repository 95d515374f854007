#include "memory/node_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/backoff.h"

namespace tiercache {
namespace {

// Tags for which neighbours, runs, wrap-around and many equal tags occur all the time.
std::uint32_t crowded_tag(Random& random) {
  const auto kind = random.below(3);
  if (kind == 0) return static_cast<std::uint32_t>(random.below(8));
  if (kind == 1) return ~static_cast<std::uint32_t>(random.below(8));
  return static_cast<std::uint32_t>(random.next());
}

class NodeTableRandom : public testing::TestWithParam<std::uint64_t> {};

TEST_P(NodeTableRandom, holds_exactly_what_a_map_holds) {
  Random random(GetParam());
  NodeSlab slab;
  NodeTable table;
  std::map<NodeNumber, std::uint32_t> model;
  for (int i = 0; i < 63; ++i) slab.take();
  const auto found = [&](NodeNumber number, std::uint32_t tag) {
    return table.find(tag, slab, [&](const Node& node) { return &node == &slab[number]; });
  };
  for (int step = 0; step < 20'000; ++step) {
    const auto number = static_cast<NodeNumber>(1 + random.below(63));
    if (const auto known = model.find(number); known != model.end()) {
      ASSERT_EQ(found(number, known->second), number);
      table.erase(known->second, number);
      model.erase(known);
    } else if (const std::uint32_t tag = crowded_tag(random); !table.full()) {
      ASSERT_EQ(found(number, tag), kNoNode);
      table.insert(tag, number);
      model[number] = tag;
    } else if (table.next_slots() <= 128) {
      NodeTable::Room room(table.next_slots());
      table.grow_into(room);
    }
    ASSERT_EQ(table.size(), model.size());
    for (const auto& [each, tag] : model) ASSERT_EQ(found(each, tag), each) << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, NodeTableRandom, testing::Range<std::uint64_t>(1, 6));

TEST(NodeSlab, numbers_stay_apart_over_many_chunks_and_are_reused) {
  NodeSlab slab;
  std::vector<NodeNumber> taken;
  std::vector<const Node*> places;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    if (slab.full()) slab.add_chunk(NodeSlab::Chunk(slab.next_chunk_nodes()));
    const NodeNumber number = slab.take();
    slab[number].tag = i;
    taken.push_back(number);
    places.push_back(&slab[number]);
  }
  for (std::uint32_t i = 0; i < taken.size(); ++i) {
    ASSERT_EQ(slab[taken[i]].tag, i);
    ASSERT_EQ(&slab[taken[i]], places[i]) << "a node moved";
  }
  slab.give_back(taken[17]);
  EXPECT_EQ(slab.take(), taken[17]);
}

TEST(NodeSlab, order_of_use_is_first_in_first_out_until_something_is_moved) {
  NodeSlab slab;
  EXPECT_EQ(slab.least_recent(), kNoNode);
  const NodeNumber a = slab.take(), b = slab.take(), c = slab.take();
  for (const NodeNumber number : {a, b, c}) slab.push_front(number);
  EXPECT_EQ(slab.least_recent(), a);
  slab.move_to_front(a);
  EXPECT_EQ(slab.least_recent(), b);
  slab.move_to_front(a);
  slab.unlink(b);
  EXPECT_EQ(slab.least_recent(), c);
  slab.unlink(a);
  slab.unlink(c);
  EXPECT_EQ(slab.least_recent(), kNoNode);
}

}  // namespace
}  // namespace tiercache
