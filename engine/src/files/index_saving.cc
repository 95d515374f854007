#include "files/index_saving.h"

#include <cerrno>
#include <utility>

namespace tiercache {
namespace {

// So much is written and synced at a time. Neither a part nor the last sync then keeps others from
// the disk for long.
constexpr std::size_t kPart = 1 << 20;

}  // namespace

IndexSaving::IndexSaving(FileSystem& file_system, Workspace& workspace, const Index& index,
                         FileTime trusted_to, std::string path)
    : file_system_(file_system),
      workspace_(workspace),
      path_(std::move(path)),
      encoder_(index, trusted_to) {}

// If the directory is not ours any more, another cache's half-written file may have this name.
IndexSaving::~IndexSaving() {
  file_.reset();
  if (!temp_.empty() && workspace_.stands()) workspace_.discard(temp_);
}

IoStatus IndexSaving::step(bool* more) {
  *more = false;
  IoStatus status = temp_.empty() ? workspace_.begin(&temp_, &file_) : IoStatus{};
  if (status.ok()) status = write_part(more);
  if (!status.ok() || *more) return status;
  file_.reset();
  if (!workspace_.stands()) {
    return {ENOENT, "save the index: the directory was deleted or replaced"};
  }
  status = file_system_.rename(temp_, path_);
  if (status.ok()) temp_.clear();
  return status;
}

IoStatus IndexSaving::write_part(bool* more) {
  part_.clear();
  do {
    *more = encoder_.next(&part_);
  } while (*more && part_.size() < kPart);
  IoStatus status = file_->write_at(written_, part_);
  written_ += part_.size();
  if (status.ok()) status = file_->sync_data();
  return status;
}

}  // namespace tiercache
