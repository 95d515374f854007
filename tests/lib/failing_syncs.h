// A disk on which syncs fail now and then, as they do on one that is dying.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "oracle/dice.h"
#include "tiercache/file_system.h"

namespace tiercache::testing {

// The machine's file system but for that. Thread-safe.
class FailingSyncs final : public FileSystem {
 public:
  // Of a hundred syncs, so many fail once `start` was called; which ones, the seed says.
  FailingSyncs(std::uint64_t percent, std::uint64_t seed)
      : fate_(std::make_shared<Fate>(percent, seed)) {}

  void start() { fate_->on = true; }

  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    IoStatus status = machine_->open(path, mode, out);
    if (status.ok()) *out = std::make_unique<SyncedFile>(std::move(*out), fate_);
    return status;
  }
  IoStatus sync_file(const std::string& path) override {
    return fate_->strikes() ? failed() : machine_->sync_file(path);
  }
  IoStatus sync_directory(const std::string& path) override {
    return fate_->strikes() ? failed() : machine_->sync_directory(path);
  }
  IoStatus sync_all(const std::string& path) override {
    return fate_->strikes() ? failed() : machine_->sync_all(path);
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
  IoStatus try_lock(const std::string& path, std::unique_ptr<FileLock>* out) override {
    return machine_->try_lock(path, out);
  }
  IoStatus free_bytes(const std::string& path, std::uint64_t* out) override {
    return machine_->free_bytes(path, out);
  }
  IoStatus is_remote(const std::string& path, bool* out) override {
    return machine_->is_remote(path, out);
  }

 private:
  struct Fate {
    Fate(std::uint64_t of_hundred, std::uint64_t of_seed) : percent(of_hundred), seed(of_seed) {}

    bool strikes() { return on && Dice(seed + ++syncs).percent(percent); }

    const std::uint64_t percent;
    const std::uint64_t seed;
    std::atomic<bool> on{false};
    std::atomic<std::uint64_t> syncs{0};
  };
  class SyncedFile final : public File {
   public:
    SyncedFile(std::unique_ptr<File> file, std::shared_ptr<Fate> fate)
        : file_(std::move(file)), fate_(std::move(fate)) {}

    IoStatus read_at(std::uint64_t offset, std::size_t size, std::string* out) override {
      return file_->read_at(offset, size, out);
    }
    IoStatus write_at(std::uint64_t offset, std::string_view bytes) override {
      return file_->write_at(offset, bytes);
    }
    IoStatus size(std::uint64_t* out) override { return file_->size(out); }
    IoStatus truncate(std::uint64_t size) override { return file_->truncate(size); }
    IoStatus sync_data() override { return fate_->strikes() ? failed() : file_->sync_data(); }

   private:
    const std::unique_ptr<File> file_;
    const std::shared_ptr<Fate> fate_;
  };
  static IoStatus failed() { return {EIO, "the sync was made to fail"}; }

  const std::shared_ptr<FileSystem> machine_ = posix_file_system();
  const std::shared_ptr<Fate> fate_;
};

}  // namespace tiercache::testing
