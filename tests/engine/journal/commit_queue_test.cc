#include "journal/commit_queue.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <string>
#include <utility>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A queue whose rounds write nothing, and what was asked of them.
class CommitQueueTest : public ::testing::Test {
 protected:
  void append(const std::string& key) {
    QueuedRecord record = make_queued(tombstone(key, 1));
    record.done = [this, key](const AppendResult& result) {
      said.push_back(key + (result.status == AppendStatus::durable ? " is there" : " is not"));
    };
    queue.append(std::move(record));
  }
  void note(const std::string& key, std::uint64_t version) {
    queue.add_in_order([&](CommitQueue::Additions* added) {
      added->notes.push_back(
          make_marker(RecordKind::done, {RecordKind::content, id_of(key)}, at(version)));
    });
  }
  void write(const std::vector<QueuedRecord>& batch, Sync sync) {
    std::string line = sync == Sync::yes ? "write" : "note";
    for (const QueuedRecord& one : batch) line += " " + one.record.id.key;
    said.push_back(line);
    if (meanwhile) meanwhile();
  }

  std::vector<std::string> said;
  std::function<void()> meanwhile;  // in each round, while it writes
  CommitQueue queue{
      {.write = [this](std::vector<QueuedRecord>* batch, Sync sync) { write(*batch, sync); },
       .finish_segment = [this] { said.emplace_back("leave"); },
       .let_go = [this] { said.emplace_back("let go"); },
       .turn_ended = [] {}}};
};

TEST_F(CommitQueueTest, one_round_writes_all_that_is_queued) {
  append("a");
  append("b");
  EXPECT_TRUE(queue.commit());
  EXPECT_THAT(said, ElementsAre("write a b", "a is there", "b is there"));
  EXPECT_TRUE(queue.commit());
  EXPECT_EQ(said.size(), 3u) << "nothing is left";
}

TEST_F(CommitQueueTest, what_is_queued_during_a_round_goes_with_the_next) {
  append("a");
  meanwhile = [this] {
    meanwhile = nullptr;
    append("b");
    EXPECT_TRUE(queue.commit()) << "somebody else sees to it";
  };
  EXPECT_TRUE(queue.commit());
  EXPECT_THAT(said, ElementsAre("write a", "a is there", "write b", "b is there"));
}

TEST_F(CommitQueueTest, a_thread_serves_others_for_a_bounded_number_of_rounds) {
  append("a");
  meanwhile = [this] { append("more"); };
  EXPECT_FALSE(queue.commit());
  meanwhile = nullptr;
  EXPECT_TRUE(queue.commit());
  EXPECT_EQ(said.back(), "more is there");
}

TEST_F(CommitQueueTest, notes_come_last_and_the_latest_of_a_slot_counts) {
  note("n", 1);
  note("n", 2);
  append("a");
  EXPECT_TRUE(queue.commit());
  EXPECT_THAT(said, ElementsAre("write a n", "a is there"));
}

TEST_F(CommitQueueTest, notes_alone_are_written_without_a_sync) {
  note("n", 1);
  EXPECT_TRUE(queue.commit());
  EXPECT_THAT(said, IsEmpty());
  queue.write_notes();
  EXPECT_THAT(said, ElementsAre("note n"));
  queue.write_notes();
  EXPECT_EQ(said.size(), 1u);
}

TEST_F(CommitQueueTest, a_turn_that_was_taken_writes_at_its_end_what_was_queued_meanwhile) {
  ASSERT_TRUE(queue.take_turn().ok());
  EXPECT_EQ(queue.take_turn().error, EAGAIN);
  append("a");
  EXPECT_TRUE(queue.commit());
  EXPECT_THAT(said, IsEmpty());
  queue.end_turn();
  EXPECT_THAT(said, ElementsAre("note", "write a", "a is there"));
}

TEST_F(CommitQueueTest, the_segment_is_left_at_once_or_at_the_end_of_the_turn) {
  queue.finish_segment();
  EXPECT_THAT(said, ElementsAre("note", "leave"));
  said.clear();
  append("a");
  meanwhile = [this] { queue.finish_segment(); };
  queue.commit();
  EXPECT_THAT(said, ElementsAre("write a", "leave", "a is there"));
}

TEST_F(CommitQueueTest, a_closed_queue_refuses_records_and_takes_no_turn) {
  append("a");
  const CommitQueue::Closing closing = queue.close();
  EXPECT_TRUE(closing.first);
  EXPECT_FALSE(closing.writing);
  CommitQueue::refuse(closing.refused);
  append("b");
  EXPECT_THAT(said, ElementsAre("a is not", "b is not"));
  EXPECT_FALSE(queue.add_in_order([](CommitQueue::Additions*) { FAIL(); }));
  EXPECT_EQ(queue.take_turn().error, EBADF);
  EXPECT_TRUE(queue.commit());
  EXPECT_FALSE(queue.close().first);
}

TEST_F(CommitQueueTest, who_has_the_turn_at_a_close_lets_go_at_its_end) {
  append("a");
  meanwhile = [this] {
    const CommitQueue::Closing closing = queue.close();
    EXPECT_TRUE(closing.writing);
    said.emplace_back("closed");
  };
  queue.commit();
  EXPECT_THAT(said, ElementsAre("write a", "closed", "let go", "a is there"));
}

}  // namespace
}  // namespace tiercache::testing
