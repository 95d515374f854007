#include "files/index/index.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/files/entries.h"

namespace tiercache {
namespace {

IndexItem item(std::uint64_t version, EntryKind kind = EntryKind::document) {
  IndexItem out;
  out.kind = kind;
  out.version = {version, 3};
  out.checksum = {version * 7, version * 11};
  out.size = 100 + version;
  out.clocks.last_fetch = at_ms(static_cast<std::int64_t>(version));
  return out;
}

std::vector<std::string> all(const Index& index, std::string_view dataset) {
  std::vector<std::string> out;
  index.for_each(dataset, [&](const std::string& key, const IndexItem& found) {
    out.push_back(key + ":" + found.version.to_string() +
                  (found.kind == EntryKind::tombstone ? ":gone" : ""));
  });
  return out;
}

using Strings = std::vector<std::string>;

TEST(Index, items_are_equal_in_all_that_a_header_says) {
  const IndexItem one = item(5);
  IndexItem looked_at = one;
  looked_at.print = 7;
  EXPECT_EQ(one, looked_at);
  const auto changed = [&](const auto& change) {
    IndexItem other = one;
    change(other);
    return other;
  };
  EXPECT_NE(one, changed([](IndexItem& other) { other.kind = EntryKind::tombstone; }));
  EXPECT_NE(one, changed([](IndexItem& other) { ++other.version.time; }));
  EXPECT_NE(one, changed([](IndexItem& other) { ++other.checksum.low; }));
  EXPECT_NE(one, changed([](IndexItem& other) { ++other.size; }));
  EXPECT_NE(one, changed([](IndexItem& other) { other.clocks.invalidated_at = at_ms(1); }));
}

TEST(Index, newer_version_replaces_and_older_is_ignored_I3) {
  Index index;
  index.put({"d", "k"}, item(5));
  index.put({"d", "k"}, item(4));
  EXPECT_EQ(index.find({"d", "k"}), item(5));
  index.put({"d", "k"}, item(6));
  EXPECT_EQ(index.find({"d", "k"}), item(6));
}

// The file has the older one after all.
TEST(Index, older_version_takes_the_place_of_a_newer_one_without_the_key_being_missed) {
  Index index;
  const EntryId id{"d", "k"};
  index.put_older(id, item(5, EntryKind::tombstone));
  index.put(id, item(7));
  EXPECT_EQ(index.count("d"), 1u);
  const std::uint64_t before = index.changes();
  index.put_older(id, item(6, EntryKind::tombstone));
  EXPECT_EQ(index.find(id), item(6, EntryKind::tombstone));
  EXPECT_EQ(index.count("d"), 0u);
  EXPECT_EQ(index.totals().bytes, 0u);
  EXPECT_GT(index.changes(), before);
  index.put_older(id, item(8));
  EXPECT_EQ(index.find(id), item(8));
  EXPECT_EQ(index.totals().bytes, item(8).size);
}

TEST(Index, equal_versions_merge_clocks) {
  Index index;
  IndexItem first = item(5);
  first.clocks.last_fetch = at_ms(10);
  first.clocks.invalidated_at = at_ms(3);
  IndexItem second = item(5);
  second.clocks.last_fetch = at_ms(7);
  second.clocks.last_rich_fetch = at_ms(8);
  index.put({"d", "k"}, first);
  index.put({"d", "k"}, second);
  const Clocks clocks = index.find({"d", "k"})->clocks;
  EXPECT_EQ(clocks.last_fetch, at_ms(10));
  EXPECT_EQ(clocks.last_rich_fetch, at_ms(8));
  EXPECT_EQ(clocks.invalidated_at, at_ms(3));
}

TEST(Index, remove_spares_a_newer_version_I3) {
  Index index;
  index.put({"d", "k"}, item(5));
  index.remove({"d", "k"}, {4, 9});
  EXPECT_TRUE(index.find({"d", "k"}));
  index.remove({"d", "other"}, {9, 9});
  index.remove({"other", "k"}, {9, 9});
  index.remove({"d", "k"}, {5, 3});
  EXPECT_FALSE(index.find({"d", "k"}));
  EXPECT_EQ(index.datasets(), Strings{});
}

TEST(Index, counts_tell_documents_from_tombstones) {
  Index index;
  index.put({"d", "a"}, item(1));
  index.put({"d", "b"}, item(1));
  index.put({"e", "a"}, item(1));
  EXPECT_EQ(index.count("d"), 2u);
  index.put({"d", "a"}, item(2, EntryKind::tombstone));
  EXPECT_EQ(index.count("d"), 1u);
  EXPECT_EQ(index.size(), 3u);
  index.put({"d", "a"}, item(3));
  EXPECT_EQ(index.count("d"), 2u);
  index.remove({"d", "a"}, {3, 3});
  EXPECT_EQ(index.count("d"), 1u);
  EXPECT_EQ(index.count("none"), 0u);
  EXPECT_EQ(index.datasets(), (Strings{"d", "e"}));
}

TEST(Index, totals_follow_every_change_and_the_form_on_disk) {
  Index index;
  index.put({"a", "1"}, item(5));
  index.put({"a", "2"}, item(6, EntryKind::tombstone));
  index.put({"b", "1"}, item(7));
  index.put({"b", "1"}, item(6));
  EXPECT_EQ(index.totals().documents, 2u);
  EXPECT_EQ(index.totals().bytes, item(5).size + item(7).size);
  index.put({"a", "1"}, item(8));
  Index read;
  ASSERT_TRUE(read.decode(index.encode()));
  EXPECT_EQ(read.totals().bytes, item(8).size + item(7).size);
  read.put({"a", "1"}, item(9, EntryKind::tombstone));
  read.remove({"b", "1"}, Version{7, 3});
  EXPECT_EQ(read.totals().documents, 0u);
  EXPECT_EQ(read.totals().bytes, 0u);
}

TEST(Index, page_goes_on_after_a_key_in_byte_order_without_tombstones) {
  Index index;
  for (const char* key : {"", "b", "a", "\xc3\xa4", "B", "c"}) index.put({"d", key}, item(1));
  index.put({"d", "b"}, item(2, EntryKind::tombstone));
  EXPECT_EQ(index.page("d", std::nullopt, 3), (Strings{"", "B", "a"}));
  EXPECT_EQ(index.page("d", "a", 3), (Strings{"c", "\xc3\xa4"}));
  EXPECT_EQ(index.page("d", "aa", 1), Strings{"c"});
  EXPECT_EQ(index.page("d", "", 1), Strings{"B"});
  EXPECT_EQ(index.page("d", "\xff", 3), Strings{});
  EXPECT_EQ(index.page("none", std::nullopt, 3), Strings{});
  EXPECT_EQ(index.page("d", std::nullopt, 0), Strings{});
}

TEST(Index, for_each_sees_every_item_though_the_visit_changes_the_index) {
  for (const int count : {0, 1, 255, 256, 257, 1000}) {
    Index index;
    for (int i = 0; i < count; ++i) index.put({"d", std::to_string(i)}, item(1));
    int seen = 0;
    index.for_each("d", [&](const std::string& key, const IndexItem&) {
      ++seen;
      index.remove({"d", key}, {1, 3});
    });
    EXPECT_EQ(seen, count);
    EXPECT_EQ(index.size(), 0u);
  }
}

std::unique_ptr<Index> sample() {
  auto owned = std::make_unique<Index>();
  Index& index = *owned;
  index.put({"", ""}, item(1));
  index.put({"prices", "eur"}, item(1'114'112'000'000'000'007));
  IndexItem full = item(9);
  full.print = 0x1122334455667788;
  full.clocks.last_rich_fetch = at_ms(-1);
  full.clocks.invalidated_at = at_ms(1'700'000'000'000);
  index.put({"prices", std::string("k\0\n\xff", 4)}, full);
  index.put({"users", "gone"}, item(2, EntryKind::tombstone));
  return owned;
}

TEST(Index, decode_gives_back_what_encode_took) {
  const std::string bytes = sample()->encode();
  Index copy;
  copy.put({"old", "forgotten"}, item(1));
  ASSERT_TRUE(copy.decode(bytes));
  EXPECT_EQ(copy.encode(), bytes);
  EXPECT_EQ(all(copy, "prices"), all(*sample(), "prices"));
  EXPECT_EQ(copy.find({"users", "gone"}), item(2, EntryKind::tombstone));
  EXPECT_EQ(copy.count("users"), 0u);
  EXPECT_EQ(copy.datasets(), (Strings{"", "prices", "users"}));
}

TEST(Index, empty_index_survives_the_round) {
  Index index;
  index.put({"d", "k"}, item(1));
  ASSERT_TRUE(index.decode(Index().encode()));
  EXPECT_EQ(index.size(), 0u);
}

TEST(Index, decode_refuses_every_changed_byte_and_every_cut_and_changes_nothing) {
  const std::string bytes = sample()->encode();
  Index index;
  index.put({"d", "k"}, item(1));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      EXPECT_FALSE(index.decode(damaged)) << i;
    }
    EXPECT_FALSE(index.decode(bytes.substr(0, i))) << i;
    EXPECT_FALSE(index.decode(bytes.substr(i + 1))) << i;
  }
  EXPECT_FALSE(index.decode(bytes + '\0'));
  EXPECT_EQ(index.find({"d", "k"}), item(1));
}

// With a checksum that holds, the structure must still be checked.
std::string sealed(std::string bytes) {
  const Checksum checksum = Checksum::of(bytes);
  for (const std::uint64_t half : {checksum.high, checksum.low}) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(half >> (8 * i)));
  }
  return bytes;
}

TEST(Index, decode_of_sealed_nonsense_never_crashes_and_takes_only_its_own_form) {
  const std::string whole = sample()->encode();
  const std::string bytes = whole.substr(0, whole.size() - 16);
  ASSERT_EQ(sealed(bytes), whole);
  std::mt19937_64 random(11);
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged =
        bytes.substr(0, random() % 8 == 0 ? random() % bytes.size() : bytes.size());
    for (std::uint64_t flips = random() % 3; flips > 0 && !damaged.empty(); --flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    Index index;
    FileTime trusted_to = 0;
    if (!index.decode(sealed(damaged), &trusted_to)) continue;
    ++taken;
    EXPECT_EQ(index.encode(trusted_to), sealed(damaged));
  }
  EXPECT_GT(taken, 0);
}

TEST(Index, decode_refuses_a_newer_format) {
  const std::string whole = sample()->encode();
  std::string bytes = whole.substr(0, whole.size() - 16);
  bytes[8] = 3;
  Index index;
  EXPECT_FALSE(index.decode(sealed(bytes)));
}

std::string golden(const std::string& name) {
  std::ifstream file(TIERCACHE_GOLDEN_DIRECTORY "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The file is read by later versions too: this one holds the form fixed.
TEST(Index, golden_file_is_read_and_written_byte_for_byte) {
  const FileTime trusted_to = 1'700'000'000'000'000'000;
  EXPECT_EQ(sample()->encode(trusted_to), golden("index-2.bin"));
  Index index;
  FileTime read = 0;
  ASSERT_TRUE(index.decode(golden("index-2.bin"), &read));
  EXPECT_EQ(read, trusted_to);
  EXPECT_EQ(all(index, "users"), Strings{"gone:2-3:gone"});
  EXPECT_EQ(index.prints(), std::vector<FilePrint>{0x1122334455667788});
}

TEST(Index, golden_file_of_format_1_is_read_without_prints) {
  Index index;
  FileTime read = 7;
  ASSERT_TRUE(index.decode(golden("index-1.bin"), &read));
  EXPECT_EQ(read, 0);
  EXPECT_EQ(contents(index), contents(*sample()));
  EXPECT_EQ(index.prints(), std::vector<FilePrint>{});
}

TEST(Index, decode_refuses_every_cut_and_every_nonsense_of_format_1) {
  const std::string bytes = golden("index-1.bin").substr(0, golden("index-1.bin").size() - 16);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Index index;
    EXPECT_FALSE(index.decode(sealed(bytes.substr(0, i)))) << i;
    EXPECT_FALSE(index.decode(sealed(bytes + bytes.substr(0, i + 1)))) << i;
  }
}

// Around the number of items that are copied at once, the form is the same.
TEST(Index, form_does_not_depend_on_how_many_items_were_taken_at_once) {
  for (const int count : {255, 256, 257, 512, 1'000}) {
    Index index;
    for (int i = 0; i < count; ++i) index.put({"d", std::to_string(i)}, item(1));
    index.put({"e", "k"}, item(1));
    Index copy;
    ASSERT_TRUE(copy.decode(index.encode())) << count;
    EXPECT_EQ(copy.size(), index.size());
    EXPECT_EQ(copy.encode(), index.encode());
  }
}

TEST(Index, what_changes_while_it_is_written_leaves_a_form_that_holds) {
  Index index;
  for (int i = 0; i < 2'000; ++i)
    index.put({"d" + std::to_string(i % 3), std::to_string(i)}, item(1));
  IndexEncoder encoder(index, 0);
  std::string bytes;
  int step = 0;
  while (encoder.next(&bytes)) {
    index.put({"d0", "new " + std::to_string(++step)}, item(1));
    index.put({"a new one", "k"}, item(1));
    for (int i = 0; i < 2'000; ++i) index.remove({"d2", std::to_string(i)}, {9, 9});
  }
  Index copy;
  ASSERT_TRUE(copy.decode(bytes));
  EXPECT_EQ(copy.count("d1"), index.count("d1"));
  EXPECT_EQ(copy.datasets(), (Strings{"d0", "d1"}));
}

IndexItem printed(std::uint64_t version, FilePrint print) {
  IndexItem out = item(version);
  out.print = print;
  return out;
}

TEST(Index, print_stays_with_the_header_it_was_taken_of) {
  Index index;
  const EntryId id{"d", "k"};
  index.put(id, printed(5, 50));
  index.put(id, item(5));
  EXPECT_EQ(index.find(id)->print, 50u) << "the same, not looked at again";
  IndexItem later = item(5);
  later.clocks.last_fetch = at_ms(9);
  index.put(id, later);
  EXPECT_EQ(index.find(id)->print, 0u) << "the file does not say this";
  index.put(id, printed(5, 51));
  EXPECT_EQ(index.find(id)->print, 0u) << "the file says less than is known";
  index.put(id, item(6));
  EXPECT_EQ(index.find(id)->print, 0u);
  index.put(id, printed(6, 60));
  EXPECT_EQ(index.find(id)->print, 60u);
  index.put(id, printed(5, 52));
  EXPECT_EQ(index.find(id)->print, 60u);
}

TEST(Index, take_met_keeps_what_is_known_and_drops_what_was_not_met) {
  Index saved;
  saved.put({"d", "met"}, printed(1, 1));
  saved.put({"d", "gone"}, printed(1, 2));
  saved.put({"d", "changed"}, printed(9, 3));
  saved.put({"d", "never looked at"}, item(1));
  saved.put({"emptied", "k"}, printed(1, 4));
  PrintsMet met(saved.prints());
  EXPECT_TRUE(met.meet(1));
  EXPECT_TRUE(met.meet(3));
  EXPECT_FALSE(met.meet(5));
  Index index;
  index.put({"d", "changed"}, printed(2, 6));
  index.put({"new", "k"}, printed(1, 7));
  index.take_met(std::move(saved), met);
  EXPECT_EQ(all(index, "d"), (Strings{"changed:2-3", "met:1-3"})) << "the file is the truth";
  EXPECT_EQ(index.datasets(), (Strings{"d", "new"}));
  EXPECT_EQ(index.totals().documents, 3u);
  EXPECT_EQ(index.totals().bytes, item(1).size * 2 + item(2).size);
}

TEST(Index, threads_at_once_lose_nothing) {
  Index index;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&index, t] {
      for (int i = 0; i < 500; ++i) {
        index.put({"d", std::to_string(t) + "-" + std::to_string(i)}, item(1));
        index.put({"d", "shared"}, item(static_cast<std::uint64_t>(i)));
        index.page("d", std::nullopt, 10);
        if (i % 100 == 0) index.encode();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(index.size(), 2001u);
  EXPECT_EQ(index.find({"d", "shared"})->version.time, 499u);
}

}  // namespace
}  // namespace tiercache
