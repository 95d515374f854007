#include "base/quarantine.h"

#include <charconv>
#include <utility>
#include <vector>

namespace tiercache {
namespace {

constexpr std::uint64_t kBlock = 4096;

std::uint64_t blocks(std::uint64_t size) {
  return (size / kBlock + 1) * kBlock;
}

// 0, which is the oldest, for a name without a number.
std::uint64_t number_of(const std::string& file_name) {
  std::uint64_t number = 0;
  std::from_chars(file_name.data(), file_name.data() + file_name.size(), number);
  return number;
}

}  // namespace

Quarantine::Quarantine(FileSystem& file_system, std::string folder, std::uint64_t max_bytes)
    : file_system_(file_system), folder_(std::move(folder)), max_bytes_(max_bytes) {}

IoStatus Quarantine::look() {
  std::vector<DirectoryItem> items;
  IoStatus status = file_system_.list(folder_, &items);
  if (!status.ok() && !status.absent()) return status;
  files_.clear();
  bytes_ = added_ = 0;
  looked_ = true;
  for (const DirectoryItem& item : items) {
    FileInfo info;
    if (item.directory || !file_system_.info(folder_ + "/" + item.name, &info).ok()) continue;
    const std::uint64_t size = blocks(info.size);
    files_[{number_of(item.name), item.name}] = size;
    bytes_ += size;
  }
  return {};
}

IoStatus Quarantine::know() {
  return !looked_ || added_ > max_bytes_ / 8 ? look() : IoStatus{};
}

Quarantine::Key Quarantine::next_key(std::string_view name) const {
  const std::uint64_t number = files_.empty() ? 1 : files_.rbegin()->first.number + 1;
  return {number, std::to_string(number) + "-" + std::string(name)};
}

void Quarantine::add(const Key& key, std::uint64_t size) {
  std::uint64_t& known = files_[key];
  bytes_ += blocks(size) - known;
  known = blocks(size);
  added_ += known;
  drop_oldest();
}

// A file that cannot be deleted counts no more, so that it is tried again only after the next look
// at the folder.
void Quarantine::drop_oldest() {
  while (bytes_ > max_bytes_ && !files_.empty()) {
    const auto oldest = files_.begin();
    if (file_system_.remove_file(path_of(oldest->first)).ok()) ++deleted_;
    bytes_ -= oldest->second;
    files_.erase(oldest);
  }
}

IoStatus Quarantine::move_in(const std::string& path, std::string_view name) {
  Lock lock(mutex_);
  IoStatus status = file_system_.make_directories(folder_);
  if (status.ok()) status = know();
  FileInfo info;
  if (status.ok()) status = file_system_.info(path, &info);
  if (!status.ok()) return status;
  const Key key = next_key(name);
  status = file_system_.rename(path, path_of(key));
  if (status.ok()) add(key, info.size);
  return status;
}

IoStatus Quarantine::write(std::string_view name, std::string_view bytes) {
  Lock lock(mutex_);
  IoStatus status = file_system_.make_directories(folder_);
  if (status.ok()) status = look();
  Key key = next_key(name);
  for (const auto& [there, size] : files_) {
    const std::size_t dash = there.file_name.find('-');
    if (dash != std::string::npos && there.file_name.substr(dash + 1) == name) key = there;
  }
  if (!status.ok()) return status;
  status = file_system_.write_file(path_of(key), bytes);
  if (status.ok()) status = file_system_.sync_file(path_of(key));
  if (status.ok()) status = file_system_.sync_directory(folder_);
  if (status.ok()) {
    add(key, bytes.size());
  } else {
    file_system_.remove_file(path_of(key));  // a full disk may have taken a part of it
  }
  return status;
}

void Quarantine::trim() {
  Lock lock(mutex_);
  if (look().ok()) drop_oldest();
}

QuarantineStats Quarantine::stats() const {
  Lock lock(mutex_);
  return {bytes_, deleted_};
}

}  // namespace tiercache
