// What the SQLite tests share: a directory of their own, direct access to the file, entries.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tiercache/sqlite.h"

namespace tiercache::sqlite {

// A directory that goes with the object.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tiercache-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A connection of someone else: sqlite3's shell, another program.
class Outsider {
 public:
  explicit Outsider(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK);
    sqlite3_busy_timeout(handle_, 60'000);
  }
  ~Outsider() { sqlite3_close(handle_); }
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;

  void run(const std::string& sql) {
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << sql << ": " << (error ? error : "");
    sqlite3_free(error);
  }
  // The first column of the first row.
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto keep = [](void* out, int columns, char** values, char**) {
      if (columns > 0 && values[0]) *static_cast<std::string*>(out) = values[0];
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), keep, &answer, nullptr), SQLITE_OK) << sql;
    return answer;
  }

 private:
  sqlite3* handle_ = nullptr;
};

// Moves on by itself with every reading, so that a wait ends after so many looks at the clock.
class TickingClock final : public Clock {
 public:
  explicit TickingClock(std::chrono::nanoseconds tick) : tick_(tick.count()) {}
  WallTime wall_now() const override { return system_clock()->wall_now(); }
  SteadyTime steady_now() const override {
    return SteadyTime(std::chrono::nanoseconds(now_.fetch_add(tick_)));
  }
  SteadyTime coarse_now() const override { return steady_now(); }

 private:
  const std::int64_t tick_;
  mutable std::atomic<std::int64_t> now_{0};
};

inline SteadyTime patience() {
  return system_clock()->steady_now() + std::chrono::minutes(2);
}

inline Version version(std::uint64_t number) {
  return {(std::uint64_t{1'700'000'000'000} << Version::kCounterBits) + number, 7};
}

inline StoreWrite write(const std::string& key, std::uint64_t number,
                        std::string document = "{\"a\": 1}") {
  StoreWrite out;
  out.id = {"d", key};
  out.entry.version = version(number);
  out.entry.checksum = Checksum::of(document);
  out.entry.document = std::make_shared<const std::string>(std::move(document));
  return out;
}

inline SaveReply save(Store& store, const StoreWrite& one, SteadyTime deadline = patience()) {
  return store.save("p", std::span(&one, 1), deadline);
}

inline LoadReply load(Store& store, const std::string& key, SteadyTime deadline = patience()) {
  const EntryId id{"d", key};
  return store.load("p", std::span(&id, 1), deadline);
}

// The key's version; zero when it is not there, cannot be read or is corrupt.
inline Version loaded_version(Store& store, const std::string& key) {
  const LoadReply reply = load(store, key);
  return reply.entries.empty() || !reply.entries[0] ? Version{} : reply.entries[0]->version;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace tiercache::sqlite
