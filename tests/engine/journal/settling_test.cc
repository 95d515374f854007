#include "journal/settling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/journal/journal_fixture.h"
#include "engine/journal/queue_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SettlingTest : public JournalQueueTest {
 protected:
  void settle(const Record& record, Settlement how = Settlement::saved) {
    UnsettledWrite write = write_of(record);
    write.write.not_newer_than = record.not_newer_than;
    settling.settled(write, how);
  }
  // The notes on the disk, once they are written.
  std::vector<std::string> notes() {
    queue.write_notes();
    std::vector<std::string> all = on_disk();
    std::erase_if(all, [](const std::string& one) { return !one.starts_with("done"); });
    return all;
  }
  static Record guarded(const std::string& key, std::uint64_t version) {
    Record record = content(key, version, document(key));
    record.not_newer_than = at(1);
    return record;
  }
  Record a = content("a", 5, document("a"));
};

TEST_F(SettlingTest, settled_write_is_sent_no_more_and_a_note_tells_the_next_owner_I1) {
  append(a);
  settle(a);
  EXPECT_THAT(taken(), IsEmpty());
  EXPECT_THAT(notes(), ElementsAre("done content a 5", "done clocks a 5"));
}

TEST_F(SettlingTest, write_that_is_not_in_the_journal_leaves_no_note) {
  append(a);
  settle(content("b", 5, document("b")));
  settle(content("a", 4, document("a")));
  EXPECT_THAT(notes(), IsEmpty());
  settle(a);
  settle(a);
  EXPECT_EQ(notes().size(), 2u) << "once is enough";
}

TEST_F(SettlingTest, note_waits_for_the_next_records) {
  append(a);
  settle(a);
  EXPECT_THAT(on_disk(), ElementsAre("content a 5"));
  append(content("b", 6, document("b")));
  EXPECT_THAT(on_disk(),
              ElementsAre("content a 5", "content b 6", "done content a 5", "done clocks a 5"));
}

TEST_F(SettlingTest, superseded_content_says_nothing_of_the_keys_clocks_I1) {
  append(a);
  append(clocks("a", 5, {ms(9), {}, {}}));
  settle(a, Settlement::superseded);
  EXPECT_THAT(notes(), ElementsAre("done content a 5"));
  EXPECT_EQ(stats().unsettled, 1u) << "the clocks are still to be sent";
}

TEST_F(SettlingTest, saved_content_settles_the_clocks_that_it_took_along) {
  append(a);
  const Record moved = clocks("a", 5, {ms(9), {}, {}});
  append(moved);
  const std::vector<UnsettledWrite> sent = take();
  ASSERT_EQ(sent.size(), 1u);
  settling.settled(sent[0], Settlement::saved);
  EXPECT_EQ(stats().unsettled, 0u);
}

TEST_F(SettlingTest, clocks_alone_are_settled_whichever_way) {
  for (const Settlement how : {Settlement::saved, Settlement::superseded}) {
    const Record moved = clocks("a", 5, {ms(9), {}, {}});
    append(moved);
    settle(moved, how);
    EXPECT_EQ(stats().unsettled, 0u);
  }
  EXPECT_THAT(notes(), ElementsAre("done clocks a 5", "done clocks a 5"));
}

// The older row that it gave way to is in its file only later.
TEST_F(SettlingTest, write_that_its_guard_refused_leaves_no_note_and_one_that_was_saved_does_I4) {
  append(guarded("refused", 5));
  append(guarded("saved", 6));
  settle(guarded("refused", 5), Settlement::superseded);
  settle(guarded("saved", 6), Settlement::saved);
  EXPECT_EQ(stats().unsettled, 0u);
  EXPECT_THAT(notes(), ElementsAre("done content saved 6", "done clocks saved 6"));
}

TEST_F(SettlingTest, segment_goes_with_the_last_write_in_it_that_was_settled) {
  append(a);
  table.with_index([](LiveIndex& index) {
    index.file_written(id_of("a"), at(5), {});
    index.files_synced(index.files_mark());
  });
  queue.finish_segment();
  EXPECT_EQ(segment_files(disk).size(), 1u);
  settle(a);
  EXPECT_THAT(segment_files(disk), IsEmpty());
}

TEST_F(SettlingTest, closed_queue_settles_nothing_and_the_next_owner_sends_it_again_I1) {
  append(a);
  queue.close();
  settle(a);
  EXPECT_EQ(stats().unsettled, 1u);
}

}  // namespace
}  // namespace tiercache::testing
