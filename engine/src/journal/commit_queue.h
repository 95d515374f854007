// Group commit: many threads queue records, one of them has the turn to write, and it writes for
// all.
//
//     A  append a -- commit: takes the turn -- write [a], answer a -- write [b c], answer b c
//     B     append b -- commit: A has the turn, returns at once
//     C         append c -- commit: A has the turn, returns at once
//
// A thread that finds the turn taken may leave, because the thread that has it looks at the queue
// again before it ends, for a bounded number of rounds. All parts that are said to belong to the
// thread that has the turn are safe by this alone. The queue knows nothing of segments: how a batch
// is written, and what happens at the end of a turn, are functions that it was given.
//
// Notes say that the store settled a write, or which records wait for no file. They are written
// along with other records, or by themselves. Where one is lost, the next owner of the folder sends
// that write once more, or looks after its file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "journal/live/unsettled_write.h"
#include "journal/segments/queued_record.h"

namespace tiercache {

// What the queue asks of its owner. None of these is called under the queue's lock, and all but
// `turn_ended` are called by the thread that has the turn.
struct TurnEvents {
  // Writes the batch and fills in the results.
  std::function<void(std::vector<QueuedRecord>* batch, Sync sync)> write;
  // Ends the current segment: the next record goes to a new one. Called after somebody has called
  // `CommitQueue::finish_segment`.
  std::function<void()> finish_segment;
  // The queue was closed during this turn, which was the last one: files and locks may go.
  std::function<void()> let_go;
  // The turn is given up, and what it wrote is answered. Another thread may have the turn by now.
  std::function<void()> turn_ended;
};

// Owned by the journal. Thread-safe. Its lock is one of the journal's two: it guards what waits and
// who has the turn, and it is taken before the segment table's where a change needs both
// (`add_in_order`).
class CommitQueue {
 public:
  explicit CommitQueue(TurnEvents events) : events_(std::move(events)) {}

  // Queues the record for the next commit. If the queue is closed, the record is answered at once,
  // as not applied.
  void append(QueuedRecord record);
  // Calls `change` under the lock and queues the records and notes that it adds. So changes of the
  // index that are made in there, and the records that say so, are in the same order in memory and
  // on the disk. False if the queue is closed; `change` is not called then.
  struct Additions {
    std::vector<Record> records;
    std::vector<Record> notes;
  };
  bool add_in_order(const std::function<void(Additions*)>& change);

  // Writes and answers what is queued, unless another thread is writing already. False if others
  // kept the queue filled for all rounds; the caller must then see to another `commit` soon.
  bool commit();
  // Commits until nothing is queued or another thread is writing.
  void commit_all();
  // Writes the notes, without a sync unless that is asked for, if no other thread is writing and
  // there are any, and then what others have queued meanwhile.
  void write_notes(Sync sync = Sync::no);

  // Takes the turn for something other than records. EAGAIN means that another thread has it, and
  // EBADF that the queue is closed. After success the caller must call `end_turn`, which also
  // writes what was queued meanwhile.
  IoStatus take_turn();
  void end_turn();

  // Asks for the end of the current segment. Whoever has the turn sees to it before it gives the
  // turn up; if nobody has it, it is done before this returns.
  void finish_segment();

  // Closes the queue: no turn begins after this. What was queued is handed to the caller, who is to
  // `refuse` it once it holds no lock.
  struct Closing {
    bool first = false;    // the queue was not closed before
    bool writing = false;  // a thread has the turn and calls `let_go` at its end; else nobody does
    std::vector<QueuedRecord> refused = {};
  };
  Closing close();
  // Answers the records as not applied.
  static void refuse(const std::vector<QueuedRecord>& records);

 private:
  enum class Turn : std::uint8_t { mine, others, nothing_to_do };
  // Takes the turn, and what is to be written in it, if there is anything and nobody has the turn.
  Turn begin_round(Sync sync, std::vector<QueuedRecord>* batch);
  // Writes the batch, gives up the turn, and answers.
  void run_round(Sync sync, std::vector<QueuedRecord>* batch);
  void give_up_turn();

  const TurnEvents events_;

  Mutex mutex_;
  std::vector<QueuedRecord> queue_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<SlotName, QueuedRecord> notes_ TIERCACHE_GUARDED_BY(mutex_);  // the latest per slot
  bool closed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool writing_ TIERCACHE_GUARDED_BY(mutex_) = false;    // some thread has the turn
  bool finishing_ TIERCACHE_GUARDED_BY(mutex_) = false;  // `finish_segment` was asked for
};

}  // namespace tiercache
