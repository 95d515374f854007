#include "journal/segments/queued_record.h"

#include <utility>

namespace tiercache {

std::vector<QueuedRecord*> pointers_to(std::vector<QueuedRecord>* records) {
  std::vector<QueuedRecord*> all;
  for (QueuedRecord& one : *records) all.push_back(&one);
  return all;
}

std::uint64_t total_bytes(std::span<QueuedRecord* const> records) {
  std::uint64_t total = 0;
  for (const QueuedRecord* one : records) total += one->bytes();
  return total;
}

QueuedRecord make_queued(Record record) {
  QueuedRecord made;
  made.payload = encode_record(record);
  record.entry.document.reset();
  made.record = std::move(record);
  return made;
}

}  // namespace tiercache
