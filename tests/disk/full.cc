#include "disk/full.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "disk/clerk.h"
#include "lib/scratch.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint64_t kPage = 4'096;
constexpr int kCalls = 160;
constexpr int kTries = 10'000;
constexpr std::uint64_t kInodes = 2'000;
constexpr std::uint64_t kMostInodesLeft = 12;  // with more a cache opens as usual
constexpr std::chrono::seconds kPatience{30};

std::string error_text() {
  return std::generic_category().message(errno);
}

// Mounts of our own, which end with this process where it had to make itself root for them.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& at) : at_(at) {
    fs::create_directories(at_);
    if (mount_it()) return;
    const auto user = ::getuid();
    const auto group = ::getgid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      why_not_ = "neither mount nor unshare is allowed: " + error_text();
      return;
    }
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
    std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
    if (!mount_it()) why_not_ = "mount is not allowed: " + error_text();
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& why_not() const { return why_not_; }
  // Takes all room but that of so many pages, while others go on writing.
  void fill(std::uint64_t pages_left) {
    const int file = ::open(ballast().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool filled = false;
    for (int tries = 0; tries < kTries && !filled; ++tries) {
      struct statvfs room {};
      ::statvfs(at_.c_str(), &room);
      const std::uint64_t free = room.f_bavail * room.f_frsize;
      const std::uint64_t left = pages_left * kPage;
      filled = free <= left || ::posix_fallocate(file, 0, static_cast<off_t>(free - left)) == 0;
    }
    ::close(file);
    if (!filled) throw std::runtime_error("the small disk cannot be filled");
  }
  // Takes all inodes but so many.
  void take_inodes(std::uint64_t left) {
    fs::create_directories(names());
    struct statvfs room {};
    for (std::uint64_t i = 0; i < kInodes && ::statvfs(at_.c_str(), &room) == 0; ++i) {
      if (room.f_favail <= left) return;
      std::ofstream(names() / std::to_string(i));
    }
    throw std::runtime_error("the inodes of the small disk cannot be taken");
  }
  void make_room() {
    fs::remove(ballast());
    fs::remove_all(names());
  }

 private:
  bool mount_it() {
    const std::string options = "size=4m,mode=0700,nr_inodes=" + std::to_string(kInodes);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, options.c_str()) == 0;
    return mounted_;
  }
  fs::path names() const { return at_ / "names"; }
  fs::path ballast() const { return at_ / "ballast"; }

  const fs::path at_;
  std::string why_not_;
  bool mounted_ = false;
};

class Filled {
 public:
  Filled(SmallDisk& disk, const fs::path& root, const fs::path& directory, bool with_store,
         std::uint64_t seed)
      : disk_(disk), directory_(directory), store_path_(root / "store.db"), clerk_(seed) {
    if (with_store) store_ = sqlite::open(store_path_.string());
    open();
  }
  ~Filled() {
    cache_.reset();
    disk_.make_room();
    fs::remove_all(directory_);
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(store_path_.string() + suffix);
  }

  std::optional<std::string> run(std::uint64_t pages_left) {
    clerk_.work(*data_, kCalls / 4);
    disk_.fill(pages_left);
    clerk_.work(*data_, kCalls);
    disk_.make_room();
    return recover();
  }
  // A cache is opened when so many inodes are left.
  std::optional<std::string> run_without_inodes(std::uint64_t inodes_left) {
    clerk_.work(*data_, kCalls / 4);
    if (store_) cache_->flush(kPatience);
    disk_.take_inodes(inodes_left);
    clerk_.work(*data_, kCalls / 4);
    cache_->close();
    cache_.reset();
    open();
    clerk_.judge_directory("opened without inodes", *data_);
    clerk_.work(*data_, kCalls);
    disk_.make_room();
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!cache_->health().all_working() && std::chrono::steady_clock::now() < until) {
      clerk_.work(*data_, 1);
    }
    return recover();
  }
  std::optional<std::string> recover() {
    clerk_.put_all(*data_);
    clerk_.work(*data_, kCalls / 4);
    if (!cache_->flush(kPatience)) clerk_.fail("not everything could be written");
    if (!cache_->health().all_working()) {
      clerk_.fail("does not recover: " + cache_->health().files.why + cache_->health().journal.why);
    }
    clerk_.judge_directory("after the disk was full", *data_);
    if (store_) judge_store();
    cache_->close();
    cache_.reset();
    open();
    clerk_.judge_directory("after a restart", *data_);
    return clerk_.broken();
  }
  void add_to(FullFigures& figures) const {
    ++figures.boundaries;
    figures.acknowledged += clerk_.acknowledged();
    figures.stored_alone += clerk_.stored_alone();
    figures.refused += clerk_.refused();
  }

 private:
  void open() {
    CacheOptions options;
    options.project = "disk";
    options.directory = directory_;
    options.store = store_;
    options.memory.ttl = milliseconds(0);
    options.files = {.write_behind = milliseconds(1), .sync_every = milliseconds(20)};
    options.journal.segment_bytes = 16 << 10;
    options.store_calls.retry_first = milliseconds(10);
    options.store_calls.retry_cap = milliseconds(50);
    cache_ = std::make_unique<Cache>(std::move(options));
    data_.emplace(cache_->dataset(
        kDataset, {.keyed = true, .fresh_for = ttl::kDay, .hydrate = Hydrate::none()}));
  }
  void judge_store() {
    clerk_.judge_all("the store", [this](const std::string& key) {
      const EntryId id{kDataset, key};
      const LoadReply reply =
          store_->load("disk", {&id, 1}, system_clock()->steady_now() + std::chrono::seconds(10));
      const EntryPtr row = reply.entries.empty() ? nullptr : reply.entries.front();
      return std::pair(row ? row->version : Version{},
                       row && row->document ? std::optional(*row->document) : std::nullopt);
    });
  }

  SmallDisk& disk_;
  const fs::path directory_;
  const fs::path store_path_;
  Clerk clerk_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

}  // namespace

std::optional<std::string> fill_at_every_boundary(std::uint64_t count, std::uint64_t seed,
                                                  FullFigures& figures) {
  const ScratchDirectory scratch("disk");
  SmallDisk disk(scratch.path() / "small");
  figures.why_not = disk.why_not();
  if (!figures.why_not.empty()) return std::nullopt;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (const bool with_store : {true, false}) {
      Filled filled(disk, scratch.path(), scratch.path() / "small" / "cache", with_store,
                    seed * 1'000 + i);
      const auto broken = filled.run(i);
      filled.add_to(figures);
      if (broken) {
        return std::to_string(i) + " pages left" + (with_store ? "" : ", no store") + ": " +
               *broken;
      }
    }
  }
  for (std::uint64_t i = 0; i < std::min(count, kMostInodesLeft); ++i) {
    for (const bool with_store : {true, false}) {
      Filled filled(disk, scratch.path(), scratch.path() / "small" / "cache", with_store,
                    seed * 1'000 + i);
      const auto broken = filled.run_without_inodes(i);
      filled.add_to(figures);
      if (broken) {
        return std::to_string(i) + " inodes left" + (with_store ? "" : ", no store") + ": " +
               *broken;
      }
    }
  }
  return std::nullopt;
}

}  // namespace tiercache::testing
