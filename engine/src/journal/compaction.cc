// Copying live records forward, so that what is dead beside them can go.
#include <atomic>
#include <memory>
#include <utility>

#include "journal/journal_impl.h"

namespace tiercache {

// Only segments from `first` on and made before `end`: what is copied is not copied again.
std::optional<std::uint64_t> Journal::Impl::next_to_compact(Compact how, std::uint64_t first,
                                                            std::uint64_t end) const {
  std::optional<std::uint64_t> oldest;
  std::uint64_t used = 0;
  for (const auto& [number, segment] : segments) {
    used += segment->used_bytes;
    if (number == current_number || segment->unreadable || segment->going) continue;
    if (segment->folder->gone) continue;
    if (number < first || number >= end) continue;
    if (!segment->folder->own || segment->failed) return number;
    if (!oldest) oldest = number;
  }
  const std::uint64_t live = index.live_bytes();
  const bool due = used > live && used - live > live;
  return how == Compact::all || due ? oldest : std::nullopt;
}

IoStatus Journal::Impl::compact_segment(std::uint64_t number) {
  SegmentPtr segment;
  {
    Lock lock(mutex);
    const auto found = segments.find(number);
    if (!folder || found == segments.end() || found->second->going) return {};
    segment = found->second;
    index.pin(number);
  }
  std::vector<QueuedRecord> copies;
  IoStatus status = read_live(*segment, nullptr, &copies);
  const auto failure = std::make_shared<std::atomic<int>>(0);
  for (QueuedRecord& copy : copies) {
    copy.done = [failure](const AppendResult& result) {
      if (result.status != AppendStatus::durable) *failure = result.io.error;
    };
    append(std::move(copy));
  }
  while (!commit()) {
  }
  if (status.ok() && *failure != 0) {
    status = {*failure, "copying live records of " + segment->path + " forward"};
  }
  {
    Lock lock(mutex);
    index.unpin(number);
  }
  trim();
  return status;
}

IoStatus Journal::Impl::compact(Compact how) {
  write_notes();
  {
    Lock lock(mutex);
    for (auto& [number, segment] : segments) segment->stuck = false;
  }
  trim();
  std::optional<std::uint64_t> next;
  std::uint64_t end = 0;
  for (std::uint64_t first = 0;; first = *next + 1) {
    {
      Lock lock(mutex);
      if (end == 0) end = next_segment;
      next = folder && away.ok() ? next_to_compact(how, first, end) : std::nullopt;
    }
    if (!next) return {};
    const IoStatus status = compact_segment(*next);
    if (!status.ok()) return status;
  }
}

}  // namespace tiercache
