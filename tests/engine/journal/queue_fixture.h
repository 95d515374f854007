// What stands above the segments of a journal, put together without it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/segments/segments_fixture.h"
#include "journal/commit_queue.h"
#include "journal/compaction.h"
#include "journal/parked_records.h"
#include "journal/round_writer.h"
#include "journal/settling.h"

namespace tiercache::testing {

// The queue above them, and what says that a write is settled or parked.
class JournalQueueTest : public JournalSegmentsTest {
 protected:
  static constexpr std::uint64_t kMaxBytes = 2048;

  JournalQueueTest() { open(); }

  AppendStatus append(Record record) {
    AppendStatus status = AppendStatus::unknown;
    QueuedRecord one = make_queued(std::move(record));
    one.done = [&](const AppendResult& result) { status = result.status; };
    queue.append(std::move(one));
    EXPECT_TRUE(queue.commit());
    return status;
  }

  RoundWriter rounds{*files, kMaxBytes, own_folder, table, writer};
  CommitQueue queue{
      {.write = [this](std::vector<QueuedRecord>* batch, Sync sync) { rounds.write(batch, sync); },
       .finish_segment = [this] { writer.finish_segment(); },
       .let_go = [] {},
       .turn_ended = [this] { table.trim(); }}};
  Compaction compaction{own_folder, table, reader, queue};
  Settling settling{table, queue};
  ParkedRecords parked_records{*files, own_folder, table, queue, compaction};
};

}  // namespace tiercache::testing
