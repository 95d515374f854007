// The server's disk is full for real: its data directory is on one that soon is
// (tests/servers/small_disk.sh).
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <stdexcept>

#include "adapters/postgres/trouble.h"

namespace tiercache::postgres {
namespace {

constexpr std::uintmax_t kSmall = 1 << 30;

// A file that leaves nothing free; goes with the object. Only of a small disk.
class Filler {
 public:
  explicit Filler(std::filesystem::path path) : path_(std::move(path)) {
    if (std::filesystem::space(path_.parent_path()).capacity > kSmall) {
      throw std::runtime_error(path_.string() + " is not on the small disk: not filled");
    }
    const int file = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    EXPECT_GE(file, 0) << path_;
    const std::string block(1 << 16, 'x');
    std::size_t size = block.size();
    while (size > 0) {
      if (::write(file, block.data(), size) < 0) {
        EXPECT_EQ(errno, ENOSPC);
        size /= 2;
      }
    }
    ::close(file);
  }
  ~Filler() { std::filesystem::remove(path_); }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

 private:
  const std::filesystem::path path_;
};

std::filesystem::path server_folder() {
  const std::filesystem::path pid = from_server_script("TIERCACHE_TEST_POSTGRES_PID");
  return pid.parent_path().parent_path();
}

// Which neither lz4 nor pglz makes smaller.
std::string incompressible(std::size_t size) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::mt19937 random(1);
  std::string text = "\"";
  while (text.size() < size) text += kLetters[random() % kLetters.size()];
  return text + '"';
}

TEST(PostgresDisk, full_disk_is_unavailable_and_says_so_and_loads_go_on) {
  ScratchDatabase database;
  const auto store = open({.url = database.url(), .apply_migrations = true});
  ASSERT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  {
    Filler filler(server_folder() / "filler");
    const std::string large = incompressible(400'000);
    SaveReply reply;
    std::uint64_t number = 1;
    while (reply.status == StoreStatus::ok && number < 100) {
      reply = save(*store, write("large", ++number, large));
    }
    EXPECT_EQ(reply.status, StoreStatus::unavailable);
    EXPECT_NE(reply.message.find("disk is full"), std::string::npos) << reply.message;
    EXPECT_EQ(loaded_version(*store, "k"), version(1));
  }
  EXPECT_EQ(save(*store, write("large", 200)).status, StoreStatus::ok);
}

TEST(PostgresDisk, cache_serves_meanwhile_and_all_writes_arrive_afterwards_I1_I4_I6_I7) {
  ASSERT_EQ(::unsetenv("TMPDIR"), 0) << "the cache has a disk of its own";
  ScratchDatabase database;
  const auto direct = open({.url = database.url(), .apply_migrations = true});
  Machine machine(direct, [](CacheOptions& options) {
    options.store_calls.call_timeout = std::chrono::milliseconds(2'000);
  });
  std::unique_ptr<Filler> filler;
  expect_survived(
      machine, [&] { filler = std::make_unique<Filler>(server_folder() / "filler"); },
      [&] { filler.reset(); }, incompressible(400'000), direct);
}

}  // namespace
}  // namespace tiercache::postgres
