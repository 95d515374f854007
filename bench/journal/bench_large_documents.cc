// Compares two ways to make a large document durable on this machine's disk: write it to the
// journal and sync that once; or write it to a file of its own, sync the file and its name, and
// write a reference to the journal (docs/decisions/0033-large-documents.md).
//
//   bench_large_documents [DIRECTORY]
//
// Each round does both, one after the other. For each size a line shows the medians and their
// ratio.
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tiercache/file_system.h"

namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 21;
constexpr std::size_t kReferenceBytes = 200;
constexpr std::uint64_t kLogBytes = 256u << 20;

void must(const tiercache::IoStatus& status) {
  if (!status.ok()) throw std::runtime_error(status.what);
}

class Disk {
 public:
  explicit Disk(const fs::path& under) {
    std::string name = (under / "tiercache-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error("no directory in " + under.string());
    directory_ = name;
    must(files_->open(directory_ / "log", tiercache::OpenMode::create, &log_));
    const std::string zeros(1 << 20, '\0');  // preallocated, as the journal's segments are
    for (std::uint64_t at = 0; at < kLogBytes; at += zeros.size()) must(log_->write_at(at, zeros));
    must(log_->sync_data());
  }
  ~Disk() { fs::remove_all(directory_); }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  void journal(std::string_view bytes) {
    if (end_ + bytes.size() > kLogBytes) end_ = 0;
    must(log_->write_at(end_, bytes));
    must(log_->sync_data());
    end_ += bytes.size();
  }
  void file_and_reference(std::string_view bytes) {
    const std::string written = directory_ / "new";
    must(files_->write_file(written, bytes));
    must(files_->sync_file(written));
    must(files_->rename(written, directory_ / "entry"));
    must(files_->sync_directory(directory_));
    journal(bytes.substr(0, kReferenceBytes));
  }

 private:
  const std::shared_ptr<tiercache::FileSystem> files_ = tiercache::posix_file_system();
  fs::path directory_;
  std::unique_ptr<tiercache::File> log_;
  std::uint64_t end_ = 0;
};

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(1);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void compare(Disk& disk, std::size_t size) {
  const std::string document = random_bytes(size);
  std::vector<double> in_journal, in_file;
  for (int i = 0; i < kRounds; ++i) {
    in_journal.push_back(milliseconds_of([&] { disk.journal(document); }));
    in_file.push_back(milliseconds_of([&] { disk.file_and_reference(document); }));
  }
  std::printf("%6zu KiB   journal %7.2f ms   file and reference %7.2f ms   %5.2fx\n", size >> 10,
              median(in_journal), median(in_file), median(in_file) / median(in_journal));
}

}  // namespace

int main(int count, char** arguments) try {
  Disk disk(count > 1 ? fs::path(arguments[1]) : fs::temp_directory_path());
  for (const std::size_t kibibytes : {16, 64, 256, 1'024, 4'096, 16'384, 65'536}) {
    compare(disk, kibibytes << 10);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_large_documents: %s\n", error.what());
  return 1;
}
