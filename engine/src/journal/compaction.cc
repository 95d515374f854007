// How a record moves without being lost on the way:
//
//     pin the segment -> read its live records -> queue them as copies -> commit -> unpin -> trim
//
// A record that is replaced while its copy is on the way needs no care: the index moves a record
// only if the place that it was copied from is still its live one, and the copy is dead otherwise.
#include "journal/compaction.h"

#include <atomic>
#include <memory>
#include <utility>

namespace tiercache {

IoStatus Compaction::copy_forward(std::uint64_t number) {
  const SegmentPtr segment = table_.pin(number);
  if (!segment) return {};
  std::vector<QueuedRecord> copies;
  IoStatus status = reader_.read_live(*segment, nullptr, &copies);
  const auto failure = std::make_shared<std::atomic<int>>(0);
  for (QueuedRecord& copy : copies) {
    copy.done = [failure](const AppendResult& result) {
      if (result.status != AppendStatus::durable) *failure = result.io.error;
    };
    queue_.append(std::move(copy));
  }
  queue_.commit_all();
  if (status.ok() && *failure != 0) {
    status = {*failure, "copying live records of " + segment->path + " forward"};
  }
  table_.unpin(number);
  table_.trim();
  return status;
}

// Only segments that were there at the start are copied, so that nothing is copied twice.
IoStatus Compaction::run(Compact how) {
  queue_.write_notes();
  table_.retry_deletions();
  table_.trim();
  const std::uint64_t end = table_.next_number();
  for (std::uint64_t first = 0; own_folder_.is_there();) {
    const auto next = table_.next_to_compact(how, first, end);
    if (!next) break;
    const IoStatus status = copy_forward(*next);
    if (!status.ok()) return status;
    first = *next + 1;
  }
  return {};
}

}  // namespace tiercache
