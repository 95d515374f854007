#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "files/entry_files.h"

namespace tiercache {
namespace {

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// What makes a relative path safe on any file system and unable to leave its directory.
void expect_safe(const std::string& path) {
  for (const std::string& part : parts_of(path)) {
    EXPECT_FALSE(part.empty()) << path;
    EXPECT_LE(part.size(), 160u) << path;
    EXPECT_NE(part.front(), '.') << path;
    EXPECT_TRUE(std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return c > 0x20 && c < 0x7f && c != '/' && c != '\\' && c != ':' && c != '*';
    })) << path;
  }
}

TEST(EntryPath, short_names_stay_readable) {
  EXPECT_EQ(entry_path({"prices", "eur-usd_2024.v1"}), "prices/25/eur-usd_2024.v1.json");
  EXPECT_EQ(entry_path({"prices", ""}), "prices/@.json");
  EXPECT_EQ(entry_path({"prices", "user:42/a b"}), "prices/e2/user%3A42%2Fa%20b.json");
}

TEST(EntryPath, keys_that_try_to_leave_become_plain_names_I12) {
  EXPECT_EQ(parts_of(entry_path({"d", ".."}))[2], "%2E..json");
  EXPECT_EQ(parts_of(entry_path({"..", "."}))[0], "%2E.");
  EXPECT_EQ(parts_of(entry_path({"d", "../../etc/passwd"}))[2], "%2E.%2F..%2Fetc%2Fpasswd.json");
  for (const std::string& text :
       {std::string("."),        std::string(".."),      std::string("../.."),
        std::string("/"),        std::string("//"),      std::string("/etc/passwd"),
        std::string("a/../b"),   std::string("\0", 1),   std::string("a\0b", 3),
        std::string("\n\r\t"),   std::string("@"),       std::string("~"),
        std::string("%"),        std::string("%2E"),     std::string("C:\\x"),
        std::string(5000, '.'),  std::string(5000, '/'), std::string("\xc3\xa4"),
        std::string("\xff\xfe"), std::string(".json"),   std::string(" ")}) {
    expect_safe(entry_path({text, text}));
    expect_safe(entry_path({"d", text}));
    expect_safe(entry_path({text, ""}));
  }
}

TEST(EntryPath, what_the_disk_says_of_a_file_does_not_tell_its_key_I11) {
  for (const std::string& key : {std::string("a@b.example"), std::string(900, 'k')}) {
    const EntryId id{"users", key};
    const std::string said =
        "write \"/cache/data/" + entry_path(id) + "\": No space left on device";
    EXPECT_EQ(without_key(said, id), "write \"/cache/data/users/…\": No space left on device");
    EXPECT_EQ(without_key(entry_path(id) + ' ' + entry_path(id), id), "users/… users/…");
  }
  EXPECT_EQ(without_key("torn", {"users", "a"}), "torn");
}

TEST(EntryPath, different_keys_have_different_files) {
  const std::vector<std::string> texts = {
      "",      "@",  "%40",  "a", "A",        "a.json",    ".a", "%2Ea", "a/b",
      "a%2Fb", "a~", "a%7E", "~", "\xc3\xa4", "a\xcc\x88", "a ", "a",    std::string("a\0", 2),
      "00",    "f8"};
  std::map<std::string, EntryId> paths;
  for (const std::string& dataset : texts) {
    for (const std::string& key : texts) {
      const EntryId id{dataset, key};
      const auto [there, added] = paths.emplace(entry_path(id), id);
      EXPECT_EQ(there->second, id) << there->first;
    }
  }
}

TEST(EntryPath, long_names_get_a_hash_and_stay_apart) {
  std::set<std::string> paths;
  for (std::size_t size = 1; size <= 600; ++size) {
    for (const char c : {'a', '/', '.', '%'}) {
      const std::string path = entry_path({"d", std::string(size, c)});
      expect_safe(path);
      EXPECT_TRUE(paths.insert(path).second) << path;
    }
  }
  const std::string common(400, 'k');
  EXPECT_NE(entry_path({"d", common + "1"}), entry_path({"d", common + "2"}));
  // A short key that spells what a long one became must not be that file.
  const std::string long_name = parts_of(entry_path({"d", common}))[2];
  EXPECT_NE(parts_of(entry_path({"d", long_name.substr(0, long_name.size() - 5)}))[2], long_name);
}

TEST(EntryPath, name_of_just_the_longest_size_is_kept_whole) {
  EXPECT_EQ(parts_of(entry_path({"d", std::string(150, 'a')}))[2], std::string(150, 'a') + ".json");
  EXPECT_NE(parts_of(entry_path({"d", std::string(151, 'a')}))[2].find('~'), std::string::npos);
  EXPECT_EQ(parts_of(entry_path({"d", std::string(50, '/')}))[2].find('~'), std::string::npos);
  EXPECT_NE(parts_of(entry_path({"d", std::string(51, '/')}))[2].find('~'), std::string::npos);
}

TEST(EntryPath, random_bytes_are_safe_and_injective_I12) {
  std::mt19937_64 random(7);
  std::map<std::string, EntryId> paths;
  for (int i = 0; i < 50'000; ++i) {
    const auto text = [&] {
      std::string out(random() % (i % 100 == 0 ? 400 : 6), '\0');
      static constexpr char kNasty[] = "./%@~aA0\\:\0\n";
      for (char& c : out) {
        c = random() % 2 == 0 ? static_cast<char>(random())
                              : kNasty[random() % (sizeof(kNasty) - 1)];
      }
      return out;
    };
    const EntryId id{text(), text()};
    const std::string path = entry_path(id);
    expect_safe(path);
    EXPECT_EQ(paths.emplace(path, id).first->second, id) << path;
  }
}

TEST(EntryPath, keys_spread_over_the_shards) {
  std::map<std::string, int> shards;
  for (int i = 0; i < 25'600; ++i) {
    ++shards[parts_of(entry_path({"d", "key-" + std::to_string(i)}))[1]];
  }
  EXPECT_EQ(shards.size(), 256u);
  for (const auto& [shard, count] : shards) EXPECT_LT(count, 200) << shard;
}

TEST(EntryPath, short_names_tell_their_key_and_long_ones_do_not) {
  for (const std::string& key : {std::string(), std::string("eur-usd_2024.v1"),
                                 std::string("user:42/a b%"), std::string("..\0\xff", 4)}) {
    EXPECT_EQ(key_of_path("a set", entry_path({"a set", key})), key);
  }
  EXPECT_FALSE(key_of_path("d", entry_path({"d", std::string(151, 'a')})));
}

TEST(EntryPath, names_that_are_no_entrys_tell_nothing) {
  const std::string shard = entry_path({"d", "k"}).substr(0, 5);
  ASSERT_EQ(key_of_path("d", shard + "k.json"), "k");
  for (const char* name :
       {"k", ".json", "%6B.json", "k%.json", "k%4.json", "%2g.json", "other.json", "@.json"}) {
    EXPECT_FALSE(key_of_path("d", shard + name)) << name;
  }
  EXPECT_FALSE(key_of_path("e", shard + "k.json"));
}

}  // namespace
}  // namespace tiercache
