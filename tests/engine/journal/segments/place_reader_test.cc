#include "journal/segments/place_reader.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/segments/segments_fixture.h"

namespace tiercache::testing {
namespace {

class PlaceReaderTest : public JournalSegmentsTest {
 protected:
  PlaceReaderTest() { open(); }

  void add(const std::vector<Place>& places) {
    table.with_segments(
        [&](LiveIndex&, const SegmentMap& segments) { reader_.add(places, segments); });
  }
  std::vector<Place> clocks_places() {
    return table.with_index([](LiveIndex& index) {
      return index.places({RecordKind::clocks, id_of("k")});
    });
  }
  static Record clocks_with(std::uint64_t version, const Clocks& moved,
                            const std::string& metadata) {
    Record record = clocks("k", version, moved);
    record.entry.metadata = metadata;
    return record;
  }

  PlaceReader reader_{*files};
};

TEST_F(PlaceReaderTest, record_comes_back_whole_with_its_sequence) {
  write({content("a", 1, document("a")), content("b", 2, document("b"))});
  const Place a = place_of("a"), b = place_of("b");
  add({a, b});
  Record first, second;
  std::uint64_t of_first = 0, of_second = 0;
  ASSERT_TRUE(reader_.read(a, &first, &of_first).ok());
  ASSERT_TRUE(reader_.read(b, &second, &of_second).ok());
  EXPECT_EQ(first.id, id_of("a"));
  EXPECT_EQ(*first.entry.document, document("a"));
  EXPECT_EQ(second.entry.version, at(2));
  EXPECT_EQ(of_second, of_first + 1);
}

TEST_F(PlaceReaderTest, segment_is_opened_once_for_all_that_lies_in_it) {
  write({content("a", 1, document("a")), content("b", 2, document("b")),
         content("c", 3, document("c", 900))});
  const std::vector<Place> places{place_of("a"), place_of("b"), place_of("c")};
  ASSERT_NE(places[0].segment, places[2].segment);
  add(places);
  int opened = 0;
  disk.set_fault([&](const std::string& operation, const std::string&) {
    if (operation == "open") ++opened;
    return 0;
  });
  Record record;
  for (const Place& place : places) EXPECT_TRUE(reader_.read(place, &record).ok());
  EXPECT_EQ(opened, 2);
}

TEST_F(PlaceReaderTest, place_that_was_not_added_is_not_read) {
  write({content("a", 1, document("a"))});
  const Place place = place_of("a");
  Record record;
  EXPECT_EQ(reader_.read(place, &record).error, EBADF);
  add({{place.segment + 1, 64, 64}});
  EXPECT_EQ(reader_.read(place, &record).error, EBADF);
}

TEST_F(PlaceReaderTest, bytes_that_do_not_hold_are_told_from_a_disk_that_says_no_I9) {
  write({content("a", 1, document("a")), content("b", 2, document("b"))});
  const Place a = place_of("a"), b = place_of("b");
  damage(a);
  add({a, b});
  Record record;
  EXPECT_EQ(reader_.read(a, &record).error, EILSEQ);
  EXPECT_TRUE(reader_.read(b, &record).ok());
  fail("read_at", EIO);
  EXPECT_EQ(reader_.read(b, &record).error, EIO);
}

TEST_F(PlaceReaderTest, file_that_cannot_be_opened_is_tried_again_by_the_next_read) {
  write({content("a", 1, document("a"))});
  add({place_of("a")});
  Record record;
  fail("open", EMFILE);
  EXPECT_EQ(reader_.read(place_of("a"), &record).error, EMFILE);
  EXPECT_TRUE(reader_.read(place_of("a"), &record).ok());
}

TEST_F(PlaceReaderTest, clocks_of_several_records_are_merged_and_the_newest_describes_them) {
  write(
      {clocks_with(5, {ms(10), {}, {}}, "\"new\""), clocks_with(4, {ms(8), ms(9), {}}, "\"old\"")});
  const std::vector<Place> places = clocks_places();
  ASSERT_EQ(places.size(), 2u);
  add(places);
  Record merged;
  ASSERT_TRUE(reader_.read(places, &merged).ok());
  EXPECT_EQ(merged.entry.version, at(5));
  EXPECT_EQ(merged.entry.clocks, (Clocks{ms(10), ms(9), {}}));
  EXPECT_EQ(merged.entry.metadata, "\"new\"");
}

TEST_F(PlaceReaderTest, of_one_fetch_the_record_that_was_written_last_describes_the_clocks) {
  write({clocks_with(5, {ms(10), {}, ms(7)}, "\"first\""),
         clocks_with(5, {ms(10), ms(9), {}}, "\"last\"")});
  std::vector<Place> places = clocks_places();
  ASSERT_EQ(places.size(), 2u);
  add(places);
  for (int turned = 0; turned < 2; ++turned) {
    Record merged;
    ASSERT_TRUE(reader_.read(places, &merged).ok());
    EXPECT_EQ(merged.entry.clocks, (Clocks{ms(10), ms(9), ms(7)}));
    EXPECT_EQ(merged.entry.metadata, "\"last\"");
    std::swap(places[0], places[1]);
  }
}

TEST_F(PlaceReaderTest, one_place_that_does_not_hold_is_enough_to_read_nothing) {
  write({clocks_with(5, {ms(10), {}, {}}, "1"), clocks_with(4, {ms(8), ms(9), {}}, "2")});
  const std::vector<Place> places = clocks_places();
  ASSERT_EQ(places.size(), 2u);
  damage(places[1]);
  add(places);
  Record merged;
  EXPECT_EQ(reader_.read(places, &merged).error, EILSEQ);
}

}  // namespace
}  // namespace tiercache::testing
