#include "journal/compaction.h"

#include <atomic>
#include <memory>
#include <utility>

namespace tiercache {

IoStatus Compaction::copy_forward(std::uint64_t number) {
  const SegmentPtr segment = table_.pin(number);
  if (!segment) return {};
  std::vector<QueuedRecord> copies;
  IoStatus status = reading_.read_live(*segment, nullptr, &copies);
  const auto failure = std::make_shared<std::atomic<int>>(0);
  for (QueuedRecord& copy : copies) {
    copy.done = [failure](const AppendResult& result) {
      if (result.status != AppendStatus::durable) *failure = result.io.error;
    };
    queue_.append(std::move(copy));
  }
  while (!queue_.commit()) {
  }
  if (status.ok() && *failure != 0) {
    status = {*failure, "copying live records of " + segment->path + " forward"};
  }
  table_.unpin(number);
  table_.trim();
  return status;
}

// Only segments that were there at first: what is copied is not copied again.
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
