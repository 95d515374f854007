// The SQLite store among processes: shared, killed, without rights, without space.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "adapters/sqlite/scratch.h"

namespace tiercache::sqlite {
namespace {

class SqliteProcess : public ::testing::Test {
 protected:
  // Runs `body` in a child, whose exit code is what it returns.
  static pid_t in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    return child;
  }
  static int exit_code(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const ScratchDirectory directory_;
  const std::string path_ = directory_ / "store.db";
};

// Adds one to the counter so many times, by compare-and-set.
int count_up(const std::string& path, int times, std::uint32_t writer) {
  const auto store = open(path);
  for (int done = 0; done < times;) {
    const LoadReply row = load(*store, "counter");
    if (row.status != StoreStatus::ok || !row.entries.at(0)) return 1;
    const Entry& before = *row.entries[0];
    StoreWrite next = write("counter", 0, std::to_string(std::stoi(*before.document) + 1));
    next.entry.version = {before.version.time + 1, writer};
    next.not_newer_than = before.version;
    const SaveReply saved = save(*store, next);
    if (saved.status != StoreStatus::ok) return 2;
    done += saved.results.at(0).outcome == SaveOutcome::saved ? 1 : 0;
  }
  return 0;
}

TEST_F(SqliteProcess, processes_on_one_file_lose_no_update_I10) {
  save(*open(path_), write("counter", 1, "0"));
  std::vector<pid_t> children;
  for (std::uint32_t writer = 1; writer <= 3; ++writer) {
    children.push_back(in_child([&] { return count_up(path_, 40, writer); }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
  const auto store = open(path_);
  EXPECT_EQ(*load(*store, "counter").entries.at(0)->document, "120");
}

TEST_F(SqliteProcess, what_was_saved_is_there_after_kill_I1) {
  for (int round = 0; round < 5; ++round) {
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const std::string key = "k" + std::to_string(round);
    const pid_t child = in_child([&] {
      const auto store = open(path_);
      for (std::uint64_t n = 1;; ++n) {
        if (save(*store, write(key, n)).status != StoreStatus::ok) return 1;
        if (::write(acknowledged[1], &n, sizeof n) != sizeof n) return 2;
      }
    });
    std::uint64_t last = 0;
    while (last < 30u + static_cast<unsigned>(round) * 7) {
      ASSERT_EQ(::read(acknowledged[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
    }
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_code(child), -1);
    ::close(acknowledged[1]);
    for (std::uint64_t n = 0; ::read(acknowledged[0], &n, sizeof n) > 0;) last = n;
    ::close(acknowledged[0]);
    EXPECT_GE(loaded_version(*open(path_), key), version(last));
  }
  EXPECT_EQ(Outsider(path_).ask("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteProcess, full_disk_is_unavailable_and_harms_nothing) {
  save(*open(path_), write("k", 1));
  const pid_t child = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300'000, 300'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const auto store = open(path_);
    std::uint64_t kept = 0;
    StoreStatus status = StoreStatus::ok;
    for (; status == StoreStatus::ok && kept < 1'000; ++kept) {
      status =
          save(*store, write("x" + std::to_string(kept), 1, "\"" + std::string(9'000, 'x') + "\""))
              .status;
    }
    if (status == StoreStatus::ok) return 2;
    if (loaded_version(*store, "k") != version(1)) return 3;
    if (loaded_version(*store, "x0") != version(1)) return 4;
    return 0;
  });
  EXPECT_EQ(exit_code(child), 0);
  const auto store = open(path_);
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
  EXPECT_EQ(loaded_version(*store, "x0"), version(1));
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::ok);
  EXPECT_EQ(Outsider(path_).ask("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteProcess, directory_without_the_right_to_write_is_unavailable) {
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0555), 0);
  const pid_t child = in_child([&] {
    constexpr uid_t kNobody = 65'534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) return 1;
    const auto store = open(path_);
    const SaveReply reply = save(*store, write("k", 1));
    if (reply.status != StoreStatus::unavailable) return 2;
    if (reply.message.find("ermission") == std::string::npos) return 3;
    return load(*store, "k").status == StoreStatus::unavailable ? 0 : 4;
  });
  EXPECT_EQ(exit_code(child), 0);
  ::chmod(directory_.path().c_str(), 0755);
}

}  // namespace
}  // namespace tiercache::sqlite
