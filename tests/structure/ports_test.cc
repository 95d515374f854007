// Time, threads, files and processes are reached through the ports alone (docs/architecture.md), so
// that a whole cache runs deterministically from a seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {
namespace {

struct Forbidden {
  std::vector<std::string> words;  // one of them is in every line that matches
  std::regex pattern;
  std::string instead;

  // The words are looked for first: a regular expression costs a hundred times as much.
  bool is_in(const std::string& line) const {
    const bool may_be = std::ranges::any_of(
        words, [&](const std::string& word) { return line.find(word) != std::string::npos; });
    return may_be && std::regex_search(line, pattern);
  }
};

const std::vector<Forbidden>& forbidden() {
  static const std::vector<Forbidden> list = {
      {{"thread", "async", "future"},
       std::regex(R"(\bstd::j?thread\b|\bpthread_|<thread>|<pthread\.h>|\bstd::async\b|<future>)"),
       "Executor"},
      {{"condition_variable", "semaphore", "latch", "barrier"},
       std::regex(
           R"(\bcondition_variable|<semaphore>|<latch>|<barrier>|\bstd::counting_semaphore\b)"),
       "Executor::make_event"},
      {{"this_thread", "sleep"},
       std::regex(R"(\bthis_thread\b|\busleep\b|\bnanosleep\b|\bsleep_(for|until)\b|\bsleep\()"),
       "Executor::schedule"},
      {{"clock", "gettimeofday", "time("},
       std::regex(R"(\b(steady_|system_|high_resolution_|file_)?clock::now\(|\bclock_gettime\b|)"
                  R"(\bgettimeofday\b|\bstd::time\(|\btime\(nullptr\))"),
       "Clock"},
      {{"<sys/", "<unistd", "<fcntl", "<linux", "signal"},
       std::regex(R"(<sys/|<unistd\.h>|<fcntl\.h>|<linux/|<signal\.h>|<csignal>)"),
       "a port"},
      {{"fopen", "fstream"},
       std::regex(R"(\bfopen\b|\bstd::[io]?fstream\b|<fstream>)"),
       "FileSystem"},
      {{"filesystem::"},
       std::regex(
           R"(\bfilesystem::(absolute|canonical|copy|create_|current_path|directory_iterator|)"
           R"(equivalent|exists|file_size|is_|last_write_time|permissions|read_symlink|recursive_|)"
           R"(remove|rename|resize_file|space|status|temp_directory_path|weakly_canonical))"),
       "FileSystem"},
      {{"random_device", "getpid", "fork(", "system("},
       std::regex(R"(\brandom_device\b|\bgetpid\b|\bfork\(|\bsystem\()"),
       "a port"},
      {{"std::c", "printf", "puts("},
       std::regex(R"(\bstd::(cout|cerr|clog)\b|\bprintf\b|\bfprintf\b|\bputs\()"),
       "Log"},
  };
  return list;
}

// What stands outside the ports for a reason.
struct Exception {
  std::string path;  // beginning
  std::string text;  // part of the line
};

const std::vector<Exception>& exceptions() {
  // A store implements a port itself: it waits for its connections, guards its file, ends its
  // sockets.
  static const std::vector<Exception> list = {
      {"adapters/postgres/src/connection.cc", "<sys/socket.h>"},
      {"adapters/postgres/src/connection.cc", "<unistd.h>"},
      {"adapters/sqlite/src/connection_pool.", "condition_variable"},
      {"adapters/sqlite/src/database_file.cc", "<sys/stat.h>"},
      {"adapters/sqlite/src/database_file.cc", "<unistd.h>"},
  };
  return list;
}

bool is_excepted(const std::string& path, const std::string& line) {
  for (const Exception& exception : exceptions()) {
    if (path.starts_with(exception.path) && line.find(exception.text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool implements_ports(const std::string& path) {
  return path.starts_with("engine/src/system/") || path.starts_with("engine/testing/");
}

std::vector<Finding> check(const SourceFile& file) {
  std::vector<Finding> findings;
  if (implements_ports(file.path)) return findings;
  const auto code = without_comments_and_literals(file.lines);
  for (std::size_t i = 0; i < code.size(); ++i) {
    for (const Forbidden& entry : forbidden()) {
      if (!entry.is_in(code[i])) continue;
      if (is_excepted(file.path, code[i])) continue;
      findings.push_back(
          {file.path, static_cast<int>(i) + 1, "use " + entry.instead + ": " + code[i]});
    }
  }
  return findings;
}

std::size_t findings_in(const std::string& line) {
  return check({"engine/src/cache/core.cc", {line}}).size();
}

TEST(Ports, ways_around_them_are_recognised) {
  for (const char* line : {
           "std::thread t;",
           "#include <thread>",
           "std::condition_variable changed;",
           "std::this_thread::yield();",
           "const auto now = std::chrono::steady_clock::now();",
           "::clock_gettime(CLOCK_MONOTONIC, &t);",
           "#include <sys/stat.h>",
           "std::ofstream out;",
           "std::filesystem::create_directories(p);",
           "std::cerr << x;",
       }) {
    EXPECT_GE(findings_in(line), 1u) << line;
  }
}

TEST(Ports, ordinary_code_is_left_alone) {
  for (const char* line : {
           "const WallTime now = clock.wall_now();",
           "Now Runtime::now() const {",
           "std::filesystem::path directory;",
           "// no std::thread here",
           "throw Error(\"std::thread\");",
           "#include <filesystem>",
       }) {
    EXPECT_EQ(findings_in(line), 0u) << line;
  }
  EXPECT_TRUE(check({"engine/src/system/clock.cc", {"#include <unistd.h>"}}).empty());
}

TEST(Ports, engine_and_adapters_wait_and_touch_the_system_through_them_alone) {
  std::vector<Finding> findings;
  for (const char* directory : {"engine/include", "engine/src", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h", ".cc"})) {
      const auto some = check(file);
      findings.insert(findings.end(), some.begin(), some.end());
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
