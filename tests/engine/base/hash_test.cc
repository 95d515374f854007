#include "base/hash.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "base/hex.h"
#include "base/key_ref.h"

namespace tiercache {
namespace {

// Persisted values: a change of any of these makes every existing file and journal unreadable.
TEST(Hash64, values_never_change) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash64("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(hash64("abc"), 0x78af5f94892f3950u);
  EXPECT_EQ(hash64("abc", 0), hash64("abc"));
}

TEST(Hash64, seed_and_every_length_make_a_difference) {
  std::set<std::uint64_t> seen;
  const std::string bytes(600, 'x');
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    for (std::uint64_t seed : {0, 1, 2}) {
      EXPECT_TRUE(seen.insert(hash64({bytes.data(), length}, seed)).second);
    }
  }
}

TEST(KeyRefs, same_key_in_two_datasets_hashes_apart) {
  EXPECT_NE(KeyRef(1, "k").hash, KeyRef(2, "k").hash);
  EXPECT_EQ(KeyRef(1, "k").hash, hash64("k", 1));
}

TEST(Hex64, text_form_reads_back_as_the_same_value) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 1'000; ++round) {
    const std::uint64_t value = random() >> (random() % 64);
    std::string text;
    append_hex64(value, &text);
    EXPECT_EQ(text.size(), kHex64Digits);
    EXPECT_EQ(parse_hex64(text), value);
  }
  EXPECT_EQ(parse_hex64("ffffffffffffffff"), ~0ull);
  EXPECT_EQ(parse_hex64("000000000000000"), std::nullopt);
  EXPECT_EQ(parse_hex64("00000000000000000"), std::nullopt);
  EXPECT_EQ(parse_hex64("000000000000000G"), std::nullopt);
}

}  // namespace
}  // namespace tiercache
