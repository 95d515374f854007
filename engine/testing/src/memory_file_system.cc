#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "memory_disk.h"

namespace tiercache::testing {
namespace {

IoStatus status_of(int error, const std::string& operation, const std::string& path) {
  if (error == 0) return {};
  return {error, operation + " \"" + path + "\": " + std::generic_category().message(error)};
}

// How much of a failing write gets through. It is reproducible, but differs from write to write.
std::size_t part_written(std::uint64_t operation, std::size_t size) {
  return static_cast<std::size_t>(LossDice(operation + 2).below(size + 1));
}

// One operation of a boot. It tells the hook, asks for a fault, and then acts under the disk's
// mutex.
class Operation {
 public:
  Operation(Disk& disk, std::uint64_t boot, std::string name, std::string path)
      : disk_(disk), boot_(boot), name_(std::move(name)), path_(std::move(path)) {}

  template <class Act>
  IoStatus read(Act act) {
    return run([&](int fault) { return fault != 0 ? fault : act(); });
  }
  template <class Act>
  IoStatus change(Act act) {
    return change_partly([&](int fault) { return fault != 0 ? fault : act(); });
  }
  // `act` is told the errno value with which it is to fail, and may do a part of its work.
  template <class Act>
  IoStatus change_partly(Act act) {
    announce();
    const bool syncs = name_.starts_with("sync_");
    return run(
        [&](int fault) { return fault == 0 && disk_.read_only && !syncs ? EROFS : act(fault); });
  }
  std::uint64_t number() const { return number_; }

 private:
  void announce() {
    Hook hook;
    {
      Guard guard(disk_.mutex);
      if (!disk_.living.contains(boot_)) return;
      number_ = ++disk_.operations;
      disk_.model.set_time(disk_.model.time() + disk_.pace.count());
      hook = disk_.hook;
    }
    if (hook) hook(number_, name_ + " " + path_);
  }

  template <class Act>
  IoStatus run(Act act) {
    MemoryDisk::Fault fault;
    {
      Guard guard(disk_.mutex);
      if (!disk_.living.contains(boot_)) return status_of(EIO, name_, path_);
      fault = disk_.fault;
    }
    const int error = fault ? fault(name_, path_) : 0;
    Guard guard(disk_.mutex);
    if (!disk_.living.contains(boot_)) return status_of(EIO, name_, path_);
    return status_of(act(error), name_, path_);
  }

  Disk& disk_;
  const std::uint64_t boot_;
  const std::string name_;
  const std::string path_;
  std::uint64_t number_ = 0;
};

class MemoryFile final : public File {
 public:
  MemoryFile(DiskPtr disk, std::uint64_t boot, NodePtr node, std::string path, bool writable)
      : disk_(std::move(disk)),
        boot_(boot),
        node_(std::move(node)),
        path_(std::move(path)),
        writable_(writable) {}

  IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) override {
    out->clear();
    return operation("read_at").read([&] {
      *out = node_->content.read(offset, size);
      return 0;
    });
  }

  IoStatus write_at(std::uint64_t offset, std::string_view bytes) override {
    Operation op = operation("write_at");
    return op.change_partly([&](int fault) {
      if (!writable_) return EBADF;
      if (fault == 0) return disk_->write(node_, offset, bytes);
      disk_->write(node_, offset, bytes.substr(0, part_written(op.number(), bytes.size())));
      return fault;
    });
  }

  IoStatus size(std::uint64_t* out) override {
    return operation("size").read([&] {
      *out = node_->content.size();
      return 0;
    });
  }

  IoStatus truncate(std::uint64_t size) override {
    return operation("truncate").change([&] {
      return writable_ ? disk_->truncate(node_, size) : EINVAL;
    });
  }

  IoStatus sync_data() override {
    return operation("sync_data").change_partly([&](int fault) {
      fault == 0 ? disk_->model.sync_file(node_) : disk_->model.fail_sync_file(node_);
      return fault;
    });
  }

 private:
  Operation operation(std::string name) const { return {*disk_, boot_, std::move(name), path_}; }

  const DiskPtr disk_;
  const std::uint64_t boot_;
  const NodePtr node_;
  const std::string path_;
  const bool writable_;
};

class MemoryLock final : public FileLock {
 public:
  MemoryLock(DiskPtr disk, NodePtr node, std::uint64_t lock)
      : disk_(std::move(disk)), node_(std::move(node)), lock_(lock) {}
  ~MemoryLock() override {
    Guard guard(disk_->mutex);
    const auto held = disk_->locks.find(node_.get());
    if (held != disk_->locks.end() && held->second.lock == lock_) disk_->locks.erase(held);
  }

 private:
  const DiskPtr disk_;
  const NodePtr node_;  // kept, so that no other file gets this key of `locks`
  const std::uint64_t lock_;
};

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem(DiskPtr disk, std::uint64_t boot) : disk_(std::move(disk)), boot_(boot) {}

  std::uint64_t boot() const { return boot_; }

  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    NodePtr node;
    const auto act = [&] {
      return mode == OpenMode::create ? create(path, &node) : find(path, &node);
    };
    Operation op = operation("open", path);
    IoStatus status = mode == OpenMode::create ? op.change(act) : op.read(act);
    if (status.ok()) {
      *out = std::make_unique<MemoryFile>(disk_, boot_, node, path, mode != OpenMode::read);
    }
    return status;
  }

  IoStatus read_file(const std::string& path, std::size_t max_bytes, std::string* out) override {
    return operation("read_file", path).read([&] {
      NodePtr node;
      if (const int error = find(path, &node)) return error;
      if (node->content.size() > max_bytes) return EFBIG;
      *out = node->content.read(0, static_cast<std::size_t>(node->content.size()));
      return 0;
    });
  }

  // Counters are shared memory, not part of what a crash may change.
  IoStatus map_counters(const std::string& path, std::size_t count,
                        std::shared_ptr<std::uint32_t>* out) override {
    const Guard guard(disk_->mutex);
    if (disk_->read_only) return status_of(EROFS, "map_counters", path);
    std::shared_ptr<std::uint32_t>& counters = disk_->counters[path];
    if (!counters) {
      counters = std::shared_ptr<std::uint32_t>(new std::uint32_t[count]{},
                                                std::default_delete<std::uint32_t[]>());
    }
    *out = counters;
    return {};
  }

  IoStatus write_file(const std::string& path, std::string_view bytes) override {
    Operation op = operation("write_file", path);
    return op.change_partly([&](int fault) {
      const std::size_t part = part_written(op.number(), bytes.size());
      if (fault != 0 && part % 2 == 0) return fault;  // the open has failed already
      NodePtr node;
      int error = find(path, &node);
      if (error == ENOENT) error = create(path, &node);
      if (error != 0) return error;
      disk_->model.truncate(node, 0);
      error = disk_->write(node, 0, fault == 0 ? bytes : bytes.substr(0, part));
      return fault != 0 ? fault : error;
    });
  }

  IoStatus rename(const std::string& from, const std::string& to) override {
    return operation("rename", from).change([&] {
      Place source;
      Place target;
      if (const int error = locate(from, &source)) return error;
      if (!source.node) return ENOENT;
      if (const int error = locate(to, &target)) return error;
      if (source.node == target.node) return 0;
      if (const int error = cannot_replace(source, target)) return error;
      disk_->model.change_names(
          {{source.parent, source.name, nullptr}, {target.parent, target.name, source.node}});
      return 0;
    });
  }

  IoStatus exchange(const std::string& a, const std::string& b) override {
    return operation("exchange", a).change([&] {
      Place first;
      Place second;
      if (const int error = locate(a, &first)) return error;
      if (const int error = locate(b, &second)) return error;
      if (!first.node || !second.node) return ENOENT;
      if (first.node == second.node) return 0;
      if (holds(first.node, second.parent) || holds(second.node, first.parent)) return EINVAL;
      disk_->model.change_names(
          {{first.parent, first.name, second.node}, {second.parent, second.name, first.node}});
      return 0;
    });
  }

  IoStatus remove_file(const std::string& path) override {
    return operation("remove_file", path).change([&] {
      Place place;
      if (const int error = locate(path, &place)) return error;
      if (!place.node) return ENOENT;
      if (place.node->directory) return EISDIR;
      disk_->model.change_names({{place.parent, place.name, nullptr}});
      return 0;
    });
  }

  // One operation per name, the deepest first, so that a crash may come between any two.
  IoStatus remove_tree(const std::string& path) override {
    std::vector<DirectoryItem> items;
    bool directory = false;
    IoStatus status = operation("remove_tree", path).read([&] {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      directory = node->directory;
      for (const auto& [name, child] : node->names) items.push_back({name, child->directory});
      return 0;
    });
    if (status.absent()) return {};
    for (std::size_t i = 0; status.ok() && i < items.size(); ++i) {
      status = remove_tree(path + "/" + items[i].name);
    }
    if (!status.ok()) return status;
    return operation("remove_tree", path).change([&] {
      Place place;
      if (const int error = locate(path, &place)) return error;
      if (!place.node) return 0;
      if (place.node->directory && !place.node->names.empty()) return ENOTEMPTY;
      disk_->model.change_names({{place.parent, place.name, nullptr}});
      return 0;
    });
  }

  // One operation per directory that is missing, from the top.
  IoStatus make_directories(const std::string& path) override {
    if (path.empty()) return status_of(ENOENT, "make_directories", path);
    for (std::size_t end = 0; end < path.size();) {
      end = std::min(path.find('/', end + 1), path.size());
      const std::string part = path.substr(0, end);
      IoStatus status =
          operation("make_directories", part).read([&] { return is_directory(part); });
      if (status.absent()) {
        status = operation("make_directories", part).change([&] { return make_directory(part); });
      }
      if (!status.ok()) return status;
    }
    return {};
  }

  IoStatus list(const std::string& path, std::vector<DirectoryItem>* out) override {
    out->clear();
    return operation("list", path).read([&] {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      if (!node->directory) return ENOTDIR;
      for (const auto& [name, child] : node->names) out->push_back({name, child->directory});
      return 0;
    });
  }

  IoStatus info(const std::string& path, FileInfo* out) override {
    return operation("info", path).read([&] {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      *out = {.size = node->content.size(),
              .directory = node->directory,
              .identity = node->number + 1,
              .inode = node->inode,
              .modified_ns = node->modified_ns,
              .changed_ns = node->changed_ns};
      return 0;
    });
  }

  IoStatus sync_file(const std::string& path) override {
    return operation("sync_file", path).change_partly([&](int fault) {
      NodePtr node;
      if (const int error = find(path, &node)) return error;
      fault == 0 ? disk_->model.sync_file(node) : disk_->model.fail_sync_file(node);
      return fault;
    });
  }

  IoStatus sync_directory(const std::string& path) override {
    return operation("sync_directory", path).change([&] {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      if (!node->directory) return ENOTDIR;
      disk_->model.sync_directory(node);
      return 0;
    });
  }

  IoStatus sync_all(const std::string& path) override {
    return operation("sync_all", path).change_partly([&](int fault) {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      if (disk_->remote) return fault != 0 ? fault : ENOTSUP;
      return disk_->sync_all(boot_, fault);
    });
  }

  IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) override {
    NodePtr node;
    std::uint64_t lock = 0;
    const auto act = [&] {
      int error = find(path, &node);
      if (error == ENOENT) error = create(path, &node);
      if (error != 0) return error;
      if (disk_->locks.contains(node.get())) return EAGAIN;
      lock = ++disk_->last_lock;
      disk_->locks[node.get()] = {lock, boot_};
      return 0;
    };
    Operation op = operation("try_lock", path);
    IoStatus status = is_missing(path) ? op.change(act) : op.read(act);
    if (status.ok()) *out = std::make_unique<MemoryLock>(disk_, node, lock);
    return status;
  }

  IoStatus free_bytes(const std::string& path, std::uint64_t* out) override {
    return operation("free_bytes", path).read([&] {
      NodePtr node;
      if (const int error = disk_->model.find(path, &node)) return error;
      const std::uint64_t capacity = disk_->capacity == 0 ? 1ull << 40 : disk_->capacity;
      *out = capacity - std::min(capacity, disk_->used());
      return 0;
    });
  }

  IoStatus is_remote(const std::string& path, bool* out) override {
    return operation("is_remote", path).read([&] {
      NodePtr node;
      *out = disk_->remote;
      return disk_->model.find(path, &node);
    });
  }

 private:
  // Where a name is or would be; `node` is null if there is none.
  struct Place {
    NodePtr parent;
    std::string name;
    NodePtr node;
  };

  Operation operation(std::string name, const std::string& path) const {
    return {*disk_, boot_, std::move(name), path};
  }

  int locate(const std::string& path, Place* out) const {
    if (const int error = disk_->model.find_parent(path, &out->parent, &out->name)) return error;
    const auto found = out->parent->names.find(out->name);
    if (found != out->parent->names.end()) out->node = found->second;
    return 0;
  }

  bool is_missing(const std::string& path) const {
    Guard guard(disk_->mutex);
    NodePtr node;
    return disk_->model.find(path, &node) == ENOENT;
  }

  int find(const std::string& path, NodePtr* out) const {
    if (const int error = disk_->model.find(path, out)) return error;
    return (*out)->directory ? EISDIR : 0;
  }

  int create(const std::string& path, NodePtr* out) {
    Place place;
    if (const int error = locate(path, &place)) return error;
    if (place.node) return EEXIST;
    if (!disk_->takes_another_name()) return ENOSPC;
    *out = disk_->model.make_node(false);
    disk_->model.change_names({{place.parent, place.name, *out}});
    return 0;
  }

  int is_directory(const std::string& path) const {
    NodePtr node;
    if (const int error = disk_->model.find(path, &node)) return error;
    return node->directory ? 0 : ENOTDIR;
  }

  int make_directory(const std::string& path) {
    Place place;
    if (const int error = locate(path, &place)) return error;
    if (place.node) return place.node->directory ? 0 : ENOTDIR;
    if (!disk_->takes_another_name()) return ENOSPC;
    disk_->model.change_names({{place.parent, place.name, disk_->model.make_node(true)}});
    return 0;
  }

  // True if `inner` is `outer` or lies somewhere in it.
  static bool holds(const NodePtr& outer, const NodePtr& inner) {
    if (outer == inner) return true;
    return std::any_of(outer->names.begin(), outer->names.end(),
                       [&](const auto& item) { return holds(item.second, inner); });
  }

  static int cannot_replace(const Place& source, const Place& target) {
    if (holds(source.node, target.parent)) return EINVAL;
    if (!target.node) return 0;
    if (!target.node->directory) return source.node->directory ? ENOTDIR : 0;
    if (!source.node->directory) return EISDIR;
    return target.node->names.empty() ? 0 : ENOTEMPTY;
  }

  const DiskPtr disk_;
  const std::uint64_t boot_;
};

}  // namespace

std::shared_ptr<FileSystem> make_memory_file_system(DiskPtr disk, std::uint64_t boot) {
  return std::make_shared<MemoryFileSystem>(std::move(disk), boot);
}

std::uint64_t boot_of(const FileSystem& file_system) {
  return dynamic_cast<const MemoryFileSystem&>(file_system).boot();
}

}  // namespace tiercache::testing
