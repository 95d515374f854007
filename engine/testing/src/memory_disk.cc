#include "memory_disk.h"

#include <utility>

namespace tiercache::testing {

struct MemoryDisk::State {
  DiskPtr disk = std::make_shared<Disk>();
};

MemoryDisk::MemoryDisk() : state_(std::make_shared<State>()) {}
MemoryDisk::~MemoryDisk() = default;

std::shared_ptr<FileSystem> MemoryDisk::boot() {
  Guard guard(state_->disk->mutex);
  const std::uint64_t boot = ++state_->disk->last_boot;
  state_->disk->living.insert(boot);
  return make_memory_file_system(state_->disk, boot);
}

void MemoryDisk::kill() {
  Guard guard(state_->disk->mutex);
  if (!state_->disk->living.empty()) state_->disk->end_boot(*state_->disk->living.rbegin());
}

void MemoryDisk::kill(const FileSystem& boot) {
  Guard guard(state_->disk->mutex);
  state_->disk->end_boot(boot_of(boot));
}

void MemoryDisk::power_loss(std::uint64_t seed) {
  Guard guard(state_->disk->mutex);
  state_->disk->living.clear();
  state_->disk->locks.clear();
  state_->disk->model = state_->disk->model.after_loss(seed);
}

std::unique_ptr<MemoryDisk> MemoryDisk::after_power_loss(std::uint64_t seed) const {
  auto copy = std::make_unique<MemoryDisk>();
  Guard guard(state_->disk->mutex);
  copy->state_->disk->model = state_->disk->model.after_loss(seed);
  copy->state_->disk->capacity = state_->disk->capacity;
  copy->state_->disk->inodes = state_->disk->inodes;
  copy->state_->disk->read_only = state_->disk->read_only;
  copy->state_->disk->remote = state_->disk->remote;
  copy->state_->disk->pace = state_->disk->pace;
  return copy;
}

std::uint64_t MemoryDisk::operations() const {
  Guard guard(state_->disk->mutex);
  return state_->disk->operations;
}

void MemoryDisk::on_operation(Hook hook) {
  Guard guard(state_->disk->mutex);
  state_->disk->hook = std::move(hook);
}

void MemoryDisk::set_fault(Fault fault) {
  Guard guard(state_->disk->mutex);
  state_->disk->fault = std::move(fault);
}

void MemoryDisk::set_capacity(std::uint64_t bytes) {
  Guard guard(state_->disk->mutex);
  state_->disk->capacity = bytes;
}

void MemoryDisk::set_inodes(std::uint64_t count) {
  Guard guard(state_->disk->mutex);
  state_->disk->inodes = count;
}

void MemoryDisk::set_read_only(bool read_only) {
  Guard guard(state_->disk->mutex);
  state_->disk->read_only = read_only;
}

std::chrono::nanoseconds MemoryDisk::time() const {
  Guard guard(state_->disk->mutex);
  return std::chrono::nanoseconds(state_->disk->model.time());
}

void MemoryDisk::set_time(std::chrono::nanoseconds since_epoch, std::chrono::nanoseconds pace) {
  Guard guard(state_->disk->mutex);
  state_->disk->model.set_time(since_epoch.count());
  state_->disk->pace = pace;
}

void MemoryDisk::set_remote(bool remote) {
  Guard guard(state_->disk->mutex);
  state_->disk->remote = remote;
}

bool MemoryDisk::read(const std::string& path, std::string* out) const {
  Guard guard(state_->disk->mutex);
  NodePtr node;
  if (state_->disk->model.find(path, &node) != 0 || node->directory) return false;
  *out = node->content.read(0, static_cast<std::size_t>(node->content.size()));
  return true;
}

void MemoryDisk::write(const std::string& path, std::string bytes) {
  Guard guard(state_->disk->mutex);
  DiskModel& model = state_->disk->model;
  NodePtr node;
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    NodePtr parent;
    std::string name;
    if (model.find(path.substr(0, end), &node) == 0) continue;
    if (model.find_parent(path.substr(0, end), &parent, &name) != 0) return;
    node = model.make_node(end < path.size());
    model.change_names({{parent, name, node}});
    model.sync_directory(parent);
  }
  if (!node || node->directory) return;
  model.truncate(node, 0);
  model.write(node, 0, bytes);
  model.sync_file(node);
}

bool MemoryDisk::remove(const std::string& path) {
  Guard guard(state_->disk->mutex);
  DiskModel& model = state_->disk->model;
  NodePtr parent;
  std::string name;
  if (model.find_parent(path, &parent, &name) != 0 || !parent->names.contains(name)) return false;
  model.change_names({{parent, name, nullptr}});
  model.sync_directory(parent);
  return true;
}

std::vector<std::string> MemoryDisk::files() const {
  Guard guard(state_->disk->mutex);
  return state_->disk->model.files();
}

std::uint64_t MemoryDisk::used_bytes() const {
  Guard guard(state_->disk->mutex);
  return state_->disk->used();
}

std::uint64_t MemoryDisk::used_inodes() const {
  Guard guard(state_->disk->mutex);
  return state_->disk->model.inodes();
}

}  // namespace tiercache::testing
