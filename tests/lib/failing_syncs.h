// A disk on which syncs fail now and then, as they do on one that is dying.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "lib/machine_disk.h"
#include "oracle/dice.h"

namespace tiercache::testing {

// The machine's file system but for that. Thread-safe.
class FailingSyncs final : public MachineDisk {
 public:
  // Of a hundred syncs, so many fail once `start` was called; which ones, the seed says.
  FailingSyncs(std::uint64_t percent, std::uint64_t seed)
      : fate_(std::make_shared<Fate>(percent, seed)) {}

  void start() { fate_->on = true; }

  IoStatus open(const std::string& path, OpenMode mode, std::unique_ptr<File>* out) override {
    IoStatus status = MachineDisk::open(path, mode, out);
    if (status.ok()) *out = std::make_unique<SyncedFile>(std::move(*out), fate_);
    return status;
  }
  IoStatus sync_file(const std::string& path) override {
    return fate_->strikes() ? failed() : MachineDisk::sync_file(path);
  }
  IoStatus sync_directory(const std::string& path) override {
    return fate_->strikes() ? failed() : MachineDisk::sync_directory(path);
  }
  IoStatus sync_all(const std::string& path) override {
    return fate_->strikes() ? failed() : MachineDisk::sync_all(path);
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
  class SyncedFile final : public MachineFile {
   public:
    SyncedFile(std::unique_ptr<File> file, std::shared_ptr<Fate> fate)
        : MachineFile(std::move(file)), fate_(std::move(fate)) {}

    IoStatus sync_data() override { return fate_->strikes() ? failed() : MachineFile::sync_data(); }

   private:
    const std::shared_ptr<Fate> fate_;
  };
  static IoStatus failed() { return {EIO, "the sync was made to fail"}; }

  const std::shared_ptr<Fate> fate_;
};

}  // namespace tiercache::testing
