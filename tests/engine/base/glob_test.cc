#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tiercache {
namespace {

// The meaning, spelled out by trying everything.
bool reference(std::string_view pattern, std::string_view key) {
  if (pattern.empty()) return key.empty();
  if (pattern[0] == '*') {
    return reference(pattern.substr(1), key) || (!key.empty() && reference(pattern, key.substr(1)));
  }
  if (key.empty()) return false;
  if (pattern[0] == '?') return reference(pattern.substr(1), key.substr(1));
  const std::size_t skip = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
  return pattern[skip] == key[0] && reference(pattern.substr(skip + 1), key.substr(1));
}

std::vector<std::string> all_strings(std::string_view alphabet, std::size_t max_length) {
  std::vector<std::string> all{""};
  for (std::size_t begin = 0, length = 0; length < max_length; ++length) {
    const std::size_t end = all.size();
    for (; begin < end; ++begin) {
      for (char c : alphabet) all.push_back(all[begin] + c);
    }
  }
  return all;
}

TEST(Glob, agrees_with_the_reference_on_all_short_patterns_and_keys) {
  const auto patterns = all_strings("ab*?\\", 5);
  const auto keys = all_strings("ab*\\", 4);
  for (const auto& pattern : patterns) {
    for (const auto& key : keys) {
      ASSERT_EQ(glob_matches(pattern, key), reference(pattern, key)) << pattern << " / " << key;
    }
  }
}

TEST(Glob, agrees_with_the_reference_on_longer_patterns_of_stars) {
  const auto patterns = all_strings("a*", 8);
  const auto keys = all_strings("ab", 7);
  for (const auto& pattern : patterns) {
    for (const auto& key : keys) {
      ASSERT_EQ(glob_matches(pattern, key), reference(pattern, key)) << pattern << " / " << key;
    }
  }
}

TEST(Glob, takes_bytes_as_they_are) {
  EXPECT_TRUE(glob_matches("user:*:quota", "user:1:2:quota"));
  EXPECT_FALSE(glob_matches("user:*:quota", "user:1:quotas"));
  EXPECT_TRUE(glob_matches("[a]", "[a]"));
  EXPECT_TRUE(glob_matches("??", "\xc3\xa4"));
  EXPECT_TRUE(glob_matches(std::string_view("a\0*", 3), std::string_view("a\0b", 3)));
  EXPECT_FALSE(glob_matches(std::string_view("a\0b", 3), "a"));
}

TEST(Glob, pattern_made_to_be_slow_ends) {
  std::string pattern;
  for (int star = 0; star < 500; ++star) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(10'000, 'a')));
  EXPECT_TRUE(glob_matches(pattern, std::string(10'000, 'a')));
}

// What is behind a pattern in memory is not part of it.
TEST(Glob, pattern_within_a_longer_text_ends_where_it_ends) {
  EXPECT_FALSE(glob_matches(std::string_view("a*").substr(0, 1), "ab"));
  EXPECT_TRUE(glob_matches(std::string_view("a*").substr(0, 1), "a"));
  EXPECT_TRUE(glob_matches(std::string_view("*a?").substr(0, 2), "aa"));
  EXPECT_TRUE(glob_matches(std::string_view("*a*").substr(0, 2), "aba"));
  EXPECT_FALSE(glob_matches(std::string_view("a?").substr(0, 1), "ab"));
}

}  // namespace
}  // namespace tiercache
