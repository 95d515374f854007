#include "journal/round_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "engine/journal/queue_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RoundWriterTest : public JournalQueueTest {
 protected:
  // One round of these; their results.
  std::vector<AppendStatus> round(std::vector<QueuedRecord> batch, Sync sync = Sync::yes) {
    rounds.write(&batch, sync);
    std::vector<AppendStatus> results;
    for (const QueuedRecord& one : batch) results.push_back(one.result.status);
    return results;
  }
  std::vector<AppendStatus> round_of(std::vector<Record> records, Sync sync = Sync::yes) {
    std::vector<QueuedRecord> batch;
    for (Record& record : records) batch.push_back(make_queued(std::move(record)));
    return round(std::move(batch), sync);
  }
  static Record sized(const std::string& key, std::uint64_t version, std::uint64_t bytes) {
    Record record = content(key, version, document(key));
    const std::uint64_t rest = make_queued(record).bytes() - document(key).size();
    record.entry.document = std::make_shared<const std::string>(document(key, bytes - rest));
    EXPECT_EQ(make_queued(record).bytes(), bytes);
    return record;
  }
  std::size_t live_places() {
    return table.with_index([](const LiveIndex& index) {
      return index.places({RecordKind::clocks, id_of("k")}).size();
    });
  }
  Entry live_clocks() {
    const std::vector<UnsettledWrite> writes = take();
    EXPECT_EQ(writes.size(), 1u);
    return writes.at(0).write.entry;
  }
  static Record clocks_with(std::uint64_t version, const Clocks& moved,
                            const std::string& metadata) {
    Record record = clocks("k", version, moved);
    record.entry.metadata = metadata;
    return record;
  }
};

// --- What is refused ---

TEST_F(RoundWriterTest, nothing_is_applied_until_a_restoring_is_whole_I1) {
  ASSERT_TRUE(own_folder.begin_restoring());
  EXPECT_THAT(round_of({content("a", 1, "1")}), ElementsAre(AppendStatus::not_applied));
}

TEST_F(RoundWriterTest, without_its_folder_nothing_is_applied) {
  own_folder.close();
  EXPECT_THAT(round_of({content("a", 1, "1"), content("b", 2, "2")}),
              Each(AppendStatus::not_applied));
  EXPECT_THAT(segment_files(disk), IsEmpty());
}

TEST_F(RoundWriterTest, live_bytes_reach_the_limit_and_never_pass_it_I8) {
  const std::uint64_t half = kMaxBytes / 2;
  EXPECT_THAT(round_of({sized("a", 1, half), sized("b", 2, half)}), Each(AppendStatus::durable));
  EXPECT_EQ(stats().live_bytes, kMaxBytes);
  EXPECT_THAT(round_of({content("c", 3, "3")}), ElementsAre(AppendStatus::full));
  settle("b", 2);
  EXPECT_THAT(round_of({sized("c", 4, half + 8), sized("d", 5, half)}),
              ElementsAre(AppendStatus::full, AppendStatus::durable));
}

TEST_F(RoundWriterTest, of_one_batch_those_are_written_that_still_fit_I8) {
  EXPECT_THAT(round_of({sized("a", 1, kMaxBytes - 200), sized("b", 2, 208), sized("c", 3, 200)}),
              ElementsAre(AppendStatus::durable, AppendStatus::full, AppendStatus::durable));
  EXPECT_EQ(stats().live_bytes, kMaxBytes);
}

TEST_F(RoundWriterTest, record_that_takes_the_place_of_another_adds_the_difference_alone_I8) {
  EXPECT_THAT(round_of({sized("a", 1, 1'200)}), ElementsAre(AppendStatus::durable));
  EXPECT_THAT(round_of({sized("a", 2, 1'200)}), ElementsAre(AppendStatus::durable));
  EXPECT_THAT(round_of({sized("a", 3, kMaxBytes)}), ElementsAre(AppendStatus::durable));
  EXPECT_THAT(round_of({sized("a", 4, kMaxBytes + 8)}), ElementsAre(AppendStatus::full));
}

TEST_F(RoundWriterTest, erases_by_pattern_and_markers_are_written_to_a_full_journal) {
  round_of({sized("a", 1, kMaxBytes)});
  EXPECT_THAT(round_of({erase_matching("b*", 2),
                        make_marker(RecordKind::done, {RecordKind::content, id_of("a")}, at(1))}),
              Each(AppendStatus::durable));
  ASSERT_GT(stats().live_bytes, kMaxBytes);
  EXPECT_THAT(round_of({sized("a", 3, kMaxBytes)}), ElementsAre(AppendStatus::durable))
      << "what adds nothing is written even then";
}

TEST_F(RoundWriterTest, copy_of_what_is_live_is_written_to_a_full_journal_I1) {
  round_of({sized("a", 1, kMaxBytes)});
  std::vector<QueuedRecord> copies;
  ASSERT_TRUE(reader
                  .read_live(*table.with_segments([](LiveIndex&, const SegmentMap& segments) {
                    return segments.begin()->second;
                  }),
                             nullptr, &copies)
                  .ok());
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_THAT(round(std::move(copies)), ElementsAre(AppendStatus::durable));
}

// --- Clocks ---

TEST_F(RoundWriterTest, clocks_say_all_that_the_record_before_them_said) {
  round_of({clocks_with(5, {ms(8), {}, ms(7)}, "\"old\"")});
  round_of({clocks_with(5, {ms(10), ms(9), {}}, "\"new\"")});
  const Entry merged = live_clocks();
  EXPECT_EQ(merged.clocks, (Clocks{ms(10), ms(9), ms(7)}));
  EXPECT_EQ(merged.metadata, "\"new\"");
  EXPECT_EQ(live_places(), 1u) << "the one before is dead";
}

TEST_F(RoundWriterTest, later_fetch_describes_the_clocks_in_whatever_order_they_are_written) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"later\"")});
  round_of({clocks_with(5, {ms(8), ms(9), {}}, "\"earlier\"")});
  const Entry merged = live_clocks();
  EXPECT_EQ(merged.clocks, (Clocks{ms(10), ms(9), {}}));
  EXPECT_EQ(merged.metadata, "\"later\"");
}

TEST_F(RoundWriterTest, clocks_of_one_batch_are_merged_as_well) {
  round_of({clocks_with(5, {ms(8), {}, {}}, "\"1\""), clocks_with(5, {ms(10), ms(9), {}}, "\"2\""),
            clocks_with(5, {{}, {}, ms(8)}, "\"3\"")});
  const Entry merged = live_clocks();
  EXPECT_EQ(merged.clocks, (Clocks{ms(10), ms(9), ms(8)}));
  EXPECT_EQ(merged.metadata, "\"2\"") << "of the later fetch";
  EXPECT_EQ(live_places(), 1u);
}

TEST_F(RoundWriterTest, clocks_that_bring_no_metadata_keep_what_is_on_the_disk) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"old\"")});
  round_of({clocks_with(5, {ms(12), ms(9), {}}, "")});
  EXPECT_EQ(live_clocks().metadata, "\"old\"");
  EXPECT_EQ(live_places(), 1u);
}

TEST_F(RoundWriterTest, clocks_of_a_newer_version_are_not_described_by_an_older_record) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"new\"")});
  round_of({clocks_with(4, {{}, ms(9), {}}, "\"old\"")});
  const Entry merged = live_clocks();
  EXPECT_EQ(merged.version, at(5));
  EXPECT_EQ(merged.clocks, (Clocks{ms(10), ms(9), {}}));
  EXPECT_EQ(merged.metadata, "\"new\"");
  EXPECT_EQ(live_places(), 1u);
}

TEST_F(RoundWriterTest, clocks_do_not_claim_a_version_whose_metadata_they_could_not_read) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"new\"")});
  fail("read_at", EIO);
  round_of({clocks_with(4, {{}, ms(9), {}}, "\"old\"")});
  EXPECT_THAT(on_disk(), ElementsAre("clocks k 5", "clocks k 4"));
  EXPECT_EQ(live_clocks().metadata, "\"new\"");
}

TEST_F(RoundWriterTest, clocks_count_though_the_disk_does_not_read_their_metadata_now) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"old\"")});
  fail("read_at", EIO);
  EXPECT_THAT(round_of({clocks_with(5, {{}, ms(9), {}}, "")}), ElementsAre(AppendStatus::durable));
  const Entry merged = live_clocks();
  EXPECT_EQ(merged.clocks, (Clocks{ms(10), ms(9), {}}));
  EXPECT_EQ(merged.metadata, "\"old\"") << "the record before is still live, and has it";
}

TEST_F(RoundWriterTest, nothing_stays_pinned_by_the_merging_of_clocks) {
  round_of({clocks_with(5, {ms(10), {}, {}}, "\"old\"")});
  round_of({clocks_with(5, {{}, ms(9), {}}, "")});
  writer.finish_segment();
  table.with_index([](LiveIndex& index) {
    const Clocks moved{ms(10), ms(9), {}};
    index.settle({RecordKind::clocks, id_of("k")}, at(5), moved, true);
    index.file_written(id_of("k"), at(5), moved);
    index.files_synced(index.files_mark());
  });
  table.trim();
  EXPECT_THAT(segment_files(disk), IsEmpty());
}

// --- What a failure left behind ---

TEST_F(RoundWriterTest, what_was_left_behind_goes_along_and_is_synced_even_with_a_note_I1) {
  append(content("a", 1, document("a")));
  const SegmentPtr failed = table.pin(table.current_number());
  fail("sync_data", EIO, 2);
  EXPECT_THAT(round_of({content("b", 2, document("b"))}), ElementsAre(AppendStatus::unknown));
  EXPECT_THAT(
      round_of({make_marker(RecordKind::done, {RecordKind::content, id_of("c")}, at(3))}, Sync::no),
      ElementsAre(AppendStatus::durable));
  EXPECT_EQ(place_of("a").segment, table.current_number());
  EXPECT_EQ(writer.file_of(failed), nullptr) << "it has been forgotten";
  table.unpin(failed->number);
  table.trim();
  disk.power_loss(0);
  EXPECT_EQ(on_disk().front(), "content a 1");
}

TEST_F(RoundWriterTest, what_was_left_behind_waits_on_while_the_disk_refuses_I1) {
  append(content("a", 1, document("a")));
  fail("sync_data", EIO, 100);
  EXPECT_THAT(round_of({content("b", 2, document("b"))}), ElementsAre(AppendStatus::unknown));
  EXPECT_THAT(round_of({content("b", 3, document("b"))}), ElementsAre(AppendStatus::not_applied));
  disk.set_fault({});
  EXPECT_THAT(round_of({content("b", 4, document("b"))}), ElementsAre(AppendStatus::durable));
  table.trim();
  disk.power_loss(0);
  EXPECT_EQ(on_disk(), (std::vector<std::string>{"content a 1", "content b 4"}));
}

}  // namespace
}  // namespace tiercache::testing
