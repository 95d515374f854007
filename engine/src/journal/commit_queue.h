// Group commit: many threads queue records, one at a time has the turn to write, and what it writes
// it writes for all.
//
//     A  append a -- commit: has the turn -- write [a] ----+ answer a -- write [b c] -- answer b c
//     B     append b -- commit: not my turn, A goes on     |
//     C         append c -- commit: not my turn -----------+
//
// Whoever finds the turn taken may go: the thread that has it looks at the queue again before it
// ends, for a bounded number of rounds. With the turn go all parts that are said to belong to the
// thread whose turn it is. The queue knows nothing of segments: how a batch is written, and what is
// to be done at a turn's end, it is told.
//
// Notes say that the store settled a write. They are written along with other records, or without a
// sync: where one is lost, the next owner sends that write once more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "journal/queued_record.h"
#include "journal/unsettled_write.h"

namespace tiercache {

// What the queue asks of others. None of them is called under its lock; all but `ended` are called
// by the thread whose turn it is.
struct TurnEvents {
  // Writes the batch and fills in the results.
  std::function<void(std::vector<QueuedRecord>* batch, Sync sync)> write;
  // Somebody has asked that nothing more goes to the current segment.
  std::function<void()> leave;
  // The last turn of a closed queue has ended.
  std::function<void()> let_go;
  // A turn has ended and what it wrote is answered.
  std::function<void()> ended;
};

// Thread-safe.
class CommitQueue {
 public:
  explicit CommitQueue(TurnEvents events) : events_(std::move(events)) {}

  // Once closed the record is answered at once: it is not applied.
  void append(QueuedRecord record);
  // Calls `change` under the lock, unless closed, and queues what that adds. Changes of the index
  // that are made there are found again on the disk in the order in which they were made.
  struct Additions {
    std::vector<Record> records;
    std::vector<Record> notes;
  };
  bool add_in_order(const std::function<void(Additions*)>& change);

  // Writes and answers what is queued, unless another thread is at it. False: others kept the queue
  // filled, and the caller must see to another `commit` soon.
  bool commit();
  // Writes the notes, unless a thread is writing, and then what others have queued.
  void write_notes();

  // Takes the turn for something else than records. EAGAIN: another thread has it; EBADF: closed.
  // Who has it must call `end_turn`, which also writes what was queued meanwhile.
  IoStatus take_turn();
  void end_turn();

  // `leave` is called before the turn that runs now has ended, or at once.
  void leave_segment();

  // No turn begins after this. What was queued is for the caller to `refuse`.
  struct Closing {
    bool first = false;    // it was not closed before
    bool writing = false;  // a thread has the turn, and `let_go` is called at its end; else never
    std::vector<QueuedRecord> refused = {};
  };
  Closing close();
  static void refuse(const std::vector<QueuedRecord>& records);

 private:
  enum class Turn : std::uint8_t { mine, others, nothing_to_do };
  Turn begin_round(Sync sync, std::vector<QueuedRecord>* batch);
  // Ends the turn as well.
  void run_round(Sync sync, std::vector<QueuedRecord>* batch);
  void give_up_turn();

  const TurnEvents events_;

  Mutex mutex_;
  std::vector<QueuedRecord> queue_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<SlotName, QueuedRecord> notes_ TIERCACHE_GUARDED_BY(mutex_);  // bounded
  bool closed_ TIERCACHE_GUARDED_BY(mutex_) = false;
  bool writing_ TIERCACHE_GUARDED_BY(mutex_) = false;  // some thread has its turn
  bool leaving_ TIERCACHE_GUARDED_BY(mutex_) = false;  // the turn's end calls `leave`
};

}  // namespace tiercache
