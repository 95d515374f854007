#include "journal/segments/current_segment.h"

#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "base/same_file.h"
#include "journal/format/segment.h"

namespace tiercache {

bool CurrentSegment::fits(std::uint64_t bytes) const {
  return segment_ != nullptr && bytes <= limit_ - end_;
}

std::uint64_t CurrentSegment::used_bytes() const {
  return end_ - kSegmentHeaderBytes;
}

IoStatus CurrentSegment::start(SegmentPtr made, std::uint64_t capacity) {
  made->path = made->folder->path + "/" + segment_name(made->number);
  made->salt = hash64(made->path, seed_ ^ made->number);
  made->file_bytes = segment_file_bytes(capacity);
  std::unique_ptr<File> file;
  const IoStatus status = create_segment(file_system_, made->folder->path, made->path,
                                         {made->salt, made->number}, capacity, &file);
  if (!status.ok()) return status;
  identity_ = identity_of(file_system_, made->path);
  file_ = std::move(file);
  end_ = kSegmentHeaderBytes;
  synced_to_ = kSegmentHeaderBytes;
  limit_ = made->file_bytes - kSegmentHeaderBytes;
  segment_ = std::move(made);
  return {};
}

std::string CurrentSegment::encode(std::span<QueuedRecord* const> records,
                                   std::uint64_t sequence) const {
  std::string bytes;
  bytes.reserve(total_bytes(records));
  for (QueuedRecord* one : records) {
    one->place = {segment_->number, end_ + bytes.size(), static_cast<std::uint32_t>(one->bytes()),
                  sequence};
    append_frame(&bytes, segment_->salt, {one->record.kind, sequence++, synced_to_, one->payload});
  }
  return bytes;
}

IoStatus CurrentSegment::write(const std::string& bytes, Sync sync) {
  IoStatus status = file_->write_at(end_, bytes);
  if (!status.ok()) return status;
  end_ += bytes.size();
  if (sync == Sync::no) return status;
  status = file_->sync_data();
  if (!status.ok()) return status;
  // A deleted file takes writes and syncs as before, but nobody would find the records again.
  if (!still_leads_to(file_system_, segment_->path, identity_)) {
    return {ENOENT, "journal segment " + segment_->path + " was deleted or replaced"};
  }
  synced_to_ = end_;
  return {};
}

std::unique_ptr<File> CurrentSegment::detach() {
  segment_.reset();
  return std::move(file_);
}

}  // namespace tiercache
