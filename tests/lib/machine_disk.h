// The machine's file system, to derive those from that do a few things differently.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tiercache/file_system.h"

namespace tiercache::testing {

// A file that is the other's. Thread-safe as that is.
class MachineFile : public File {
 public:
  explicit MachineFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) override {
    return file_->read_at(offset, size, out);
  }
  IoStatus write_at(std::uint64_t offset, std::string_view bytes) override {
    return file_->write_at(offset, bytes);
  }
  IoStatus size(std::uint64_t* out) override { return file_->size(out); }
  IoStatus truncate(std::uint64_t size) override { return file_->truncate(size); }
  IoStatus sync_data() override { return file_->sync_data(); }

 private:
  const std::unique_ptr<File> file_;
};

// What every file system must do is done by the machine's; the rest is the port's default.
// Thread-safe.
class MachineDisk : public FileSystem {
 public:
  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    return machine_->open(path, mode, out);
  }
  IoStatus read_file(const std::string& path, std::size_t max_bytes, std::string* out) override {
    return machine_->read_file(path, max_bytes, out);
  }
  IoStatus write_file(const std::string& path, std::string_view bytes) override {
    return machine_->write_file(path, bytes);
  }
  IoStatus rename(const std::string& from, const std::string& to) override {
    return machine_->rename(from, to);
  }
  IoStatus exchange(const std::string& a, const std::string& b) override {
    return machine_->exchange(a, b);
  }
  IoStatus remove_file(const std::string& path) override { return machine_->remove_file(path); }
  IoStatus remove_tree(const std::string& path) override { return machine_->remove_tree(path); }
  IoStatus make_directories(const std::string& path) override {
    return machine_->make_directories(path);
  }
  IoStatus list(const std::string& path, std::vector<DirectoryItem>* out) override {
    return machine_->list(path, out);
  }
  IoStatus info(const std::string& path, FileInfo* out) override {
    return machine_->info(path, out);
  }
  IoStatus sync_file(const std::string& path) override { return machine_->sync_file(path); }
  IoStatus sync_directory(const std::string& path) override {
    return machine_->sync_directory(path);
  }
  IoStatus sync_all(const std::string& path) override { return machine_->sync_all(path); }
  IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) override {
    return machine_->try_lock(path, out);
  }
  IoStatus free_bytes(const std::string& path, std::uint64_t* out) override {
    return machine_->free_bytes(path, out);
  }
  IoStatus is_remote(const std::string& path, bool* out) override {
    return machine_->is_remote(path, out);
  }

 protected:
  FileSystem& machine() { return *machine_; }

 private:
  const std::shared_ptr<FileSystem> machine_ = posix_file_system();
};

}  // namespace tiercache::testing
