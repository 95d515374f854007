// A large directory whose process was killed, opened anew: see run.sh.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lib/arguments.h"
#include "lib/scratch.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kDataset = "documents";
constexpr std::uint64_t kAtOnce = 1'000;
constexpr std::size_t kDocumentBytes = 1'024;
constexpr std::chrono::minutes kPatience{30};
// After that a file is not taken for one that changes just now.
constexpr std::chrono::seconds kSettles{3};

std::string key_of(std::uint64_t number) {
  return "key:" + std::to_string(number);
}

std::string document(std::uint64_t number, const char* state) {
  std::string text =
      "{\"number\":" + std::to_string(number) + ",\"state\":\"" + state + "\",\"fill\":\"";
  text.append(kDocumentBytes - text.size() - 2, 'x');
  return text + "\"}";
}

class Restart {
 public:
  Restart(const fs::path& root, std::uint64_t entries)
      : root_(root), entries_(entries), unconfirmed_(entries / 100) {
    fs::create_directories(root / "store");
  }

  // All entries, of which the last ones do not come to the store; dies. As in a process that has
  // run for a while, files have settled and a ninth of them was written again before the index was
  // saved last.
  void fill() {
    open();
    write(0, entries_, "confirmed");
    if (!cache_->flush(kPatience)) throw std::runtime_error("the store takes not all");
    wait_until([settled = Clock::now() + kSettles] { return Clock::now() > settled; });
    const auto before = fs::file_time_type::clock::now();
    write(0, entries_ / 9 + 20, "confirmed");
    if (!cache_->flush(kPatience)) throw std::runtime_error("the store takes not all");
    wait_until([&] {
      std::error_code none_yet;
      const auto saved = fs::last_write_time(root_ / "cache" / "index.saved", none_yet);
      return !none_yet && saved > before;
    });
    fs::rename(root_ / "store", root_ / "away");
    write(entries_ - unconfirmed_, entries_, "unconfirmed");
    ::raise(SIGKILL);
  }

  void forget_index() {
    fs::remove(root_ / "cache" / "index");
    fs::remove(root_ / "cache" / "index.saved");
  }

  // From the start of a process on.
  void measure(const char* what) {
    const auto began = Clock::now();
    open();
    const auto opened = Clock::now();
    if (!data_->get(key_of(1), {.reach = Reach::local})) throw std::runtime_error("nothing there");
    const auto served = Clock::now();
    cache_->flush(kPatience);
    const auto confirmed = Clock::now();
    check();
    const Health health = cache_->health();
    std::printf(
        "restart %s: %llu entries of 1 KiB; all schedules armed after %.0f ms, first read served "
        "after %.0f ms, all confirmed after %.0f ms (%llu left), at most %llu MiB of memory\n",
        what, static_cast<unsigned long long>(entries_), ms(opened - began), ms(served - began),
        ms(confirmed - began), static_cast<unsigned long long>(health.outbox_depth),
        static_cast<unsigned long long>(peak_kib() / 1'024));
    cache_->close(std::chrono::minutes(5));
    cache_.reset();
  }

 private:
  void open() {
    CacheOptions options;
    options.project = "restart";
    options.directory = root_ / "cache";
    options.store = sqlite::open((root_ / "store" / "store.db").string());
    cache_ = std::make_unique<Cache>(std::move(options));
    data_.emplace(cache_->dataset(
        kDataset,
        {.keyed = true,
         .refresh_every = ttl::kDay,
         .hydrate = Hydrate::none(),
         .refresh = [](RefreshContext&) -> RefreshAnswer<std::string> { return NotModified{}; }}));
  }
  void write(std::uint64_t from, std::uint64_t to, const char* state) {
    std::vector<std::pair<std::string, std::string>> values;
    while (from < to) {
      values.clear();
      for (; from < to && values.size() < kAtOnce; ++from) {
        values.emplace_back(key_of(from), document(from, state));
      }
      data_->put_many(values);
    }
  }
  void check() const {
    for (const std::uint64_t number :
         {std::uint64_t{0}, entries_ / 2, entries_ - unconfirmed_, entries_ - 1}) {
      const char* state = number < entries_ - unconfirmed_ ? "confirmed" : "unconfirmed";
      const auto snapshot = data_->get(key_of(number), {.reach = Reach::local});
      if (!snapshot || *snapshot != document(number, state)) {
        throw std::runtime_error(key_of(number) + " is not what was put");
      }
    }
  }
  static void wait_until(const std::function<bool()>& done) {
    for (const auto end = Clock::now() + kPatience; !done();) {
      if (Clock::now() > end) throw std::runtime_error("the index is not saved");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  static double ms(Clock::duration span) {
    return std::chrono::duration<double, std::milli>(span).count();
  }
  static std::uint64_t peak_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
    }
    return 0;
  }

  const fs::path root_;
  const std::uint64_t entries_;
  const std::uint64_t unconfirmed_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

// In a process of its own; its status as waitpid gives it.
int in_child(const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    int status = 0;
    try {
      work();
    } catch (const std::exception& error) {
      std::printf("VIOLATION %s\n", error.what());
      status = 1;
    }
    std::fflush(stdout);
    ::_exit(status);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

int run(const Arguments& arguments) {
  const ScratchDirectory scratch("restart");
  const std::uint64_t entries = arguments["--entries"];
  const auto restart = [&] { return Restart(scratch.path(), entries); };
  const int filled = in_child([&] { restart().fill(); });
  if (!WIFSIGNALED(filled) || WTERMSIG(filled) != SIGKILL) return 2;
  fs::rename(scratch.path() / "away", scratch.path() / "store");
  const int killed = in_child([&] { restart().measure("after a kill, 1 % unconfirmed"); });
  const int closed = in_child([&] { restart().measure("after a close"); });
  restart().forget_index();
  const int rebuilt = in_child([&] { restart().measure("without an index"); });
  return killed == 0 && closed == 0 && rebuilt == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  Arguments arguments({{"--entries", 5'000}});
  if (!arguments.parse(count, words) || arguments["--entries"] < 100) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "restart: %s\n", error.what());
    return 2;
  }
}
