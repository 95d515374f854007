// A turn is the flag `writing_`: whoever sets it under the lock writes without the lock, and clears
// it under the lock again. A round takes the whole queue, so that one sync serves all who wait:
//
//     lock: queue_ -> batch, writing_ = true
//        write and sync the batch          others queue records and return
//     lock: writing_ = false
//        answer the batch                  whoever commits now has the next turn
//     look at the queue again, at most kMaxRounds times
//
// No record can be forgotten between the rounds: a thread that queued while the flag was set was
// told that this thread goes on, and this thread either finds the record in its next round or
// answers "false", which obliges its caller to commit again.
#include "journal/commit_queue.h"

#include <cerrno>
#include <utility>

namespace tiercache {
namespace {

// How many rounds a thread writes, also for others, before it goes back to its own work.
constexpr int kMaxRounds = 8;
// Notes beyond this many are dropped. Without its note a write is merely sent again after a crash.
constexpr std::size_t kMaxNotes = 1 << 16;

IoStatus queue_closed() {
  return {EBADF, "the journal is closed"};
}

}  // namespace

// --- Queueing ---

void CommitQueue::append(QueuedRecord record) {
  {
    Lock lock(mutex_);
    if (!closed_) {
      queue_.push_back(std::move(record));
      return;
    }
  }
  if (record.done) record.done({AppendStatus::not_applied, queue_closed()});
}

bool CommitQueue::add_in_order(const std::function<void(Additions*)>& change) {
  Additions added;
  Lock lock(mutex_);
  if (closed_) return false;
  change(&added);
  for (Record& record : added.records) queue_.push_back(make_queued(std::move(record)));
  for (Record& note : added.notes) {
    if (notes_.size() >= kMaxNotes) break;
    const SlotName slot{note.subject, note.id};
    notes_.insert_or_assign(slot, make_queued(std::move(note)));
  }
  return true;
}

// --- Turns ---

bool CommitQueue::commit() {
  for (int round = 0; round < kMaxRounds; ++round) {
    std::vector<QueuedRecord> batch;
    if (begin_round(Sync::yes, &batch) != Turn::mine) return true;
    run_round(Sync::yes, &batch);
  }
  Lock lock(mutex_);
  return queue_.empty() || writing_;
}

void CommitQueue::commit_all() {
  while (!commit()) {
  }
}

void CommitQueue::write_notes(Sync sync) {
  std::vector<QueuedRecord> batch;
  if (begin_round(Sync::no, &batch) == Turn::mine) run_round(sync, &batch);
  // A thread that queued a record meanwhile was told that this one is writing and will see to it.
  commit_all();
}

CommitQueue::Turn CommitQueue::begin_round(Sync sync, std::vector<QueuedRecord>* batch) {
  Lock lock(mutex_);
  if (closed_) return Turn::nothing_to_do;
  if (writing_) return Turn::others;
  if (sync == Sync::yes) {
    if (queue_.empty()) return Turn::nothing_to_do;
    batch->swap(queue_);
  } else if (notes_.empty()) {
    return Turn::nothing_to_do;
  }
  for (auto& [slot, note] : notes_) batch->push_back(std::move(note));
  notes_.clear();
  writing_ = true;
  return Turn::mine;
}

void CommitQueue::run_round(Sync sync, std::vector<QueuedRecord>* batch) {
  events_.write(batch, sync);
  give_up_turn();
  for (const QueuedRecord& one : *batch) {
    if (one.done) one.done(one.result);
  }
  events_.turn_ended();
}

void CommitQueue::give_up_turn() {
  bool closed = false;
  for (;;) {
    {
      Lock lock(mutex_);
      if (!std::exchange(finishing_, false)) {
        writing_ = false;
        closed = closed_;
        break;
      }
    }
    events_.finish_segment();
  }
  // No turn begins after a close, so this thread is still alone with the files.
  if (closed) events_.let_go();
}

IoStatus CommitQueue::take_turn() {
  Lock lock(mutex_);
  if (closed_) return queue_closed();
  if (writing_) return {EAGAIN, "the journal is being written"};
  writing_ = true;
  return {};
}

void CommitQueue::end_turn() {
  std::vector<QueuedRecord> nothing;
  run_round(Sync::no, &nothing);
  commit_all();
}

void CommitQueue::finish_segment() {
  {
    Lock lock(mutex_);
    finishing_ = true;
    if (closed_ || writing_) return;
    writing_ = true;
  }
  std::vector<QueuedRecord> nothing;
  run_round(Sync::no, &nothing);
}

// --- Closing ---

CommitQueue::Closing CommitQueue::close() {
  Closing closing;
  Lock lock(mutex_);
  closing.first = !std::exchange(closed_, true);
  closing.writing = writing_;
  closing.refused.swap(queue_);
  return closing;
}

void CommitQueue::refuse(const std::vector<QueuedRecord>& records) {
  for (const QueuedRecord& one : records) {
    if (one.done) one.done({AppendStatus::not_applied, queue_closed()});
  }
}

}  // namespace tiercache
