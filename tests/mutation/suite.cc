#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace tiercache::mutation {
namespace {

constexpr int kSkipped = 77;  // of the tests that need what the machine may not have
constexpr std::string_view kFilter = "--gtest_filter=";

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  char buffer[65'536];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    output.append(buffer, n);
  }
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed");
  return output;
}

// A mutant may fill what it is given: memory, a file.
void bound_resources() {
  const rlimit memory{std::size_t{8} << 30, std::size_t{8} << 30};
  const rlimit file{std::size_t{2} << 30, std::size_t{2} << 30};
  const rlimit core{0, 0};
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_FSIZE, &file);
  ::setrlimit(RLIMIT_CORE, &core);
}

// Files of its own: a mutant may treat a descriptor that is not its own as if it were, and of
// /dev/null there is one for all.
void take_streams() {
  const std::string path = std::string(std::getenv("TMPDIR")) + "/streams";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0) ::_exit(126);
  for (int stream = 0; stream < 3; ++stream) ::dup2(file, stream);
}

[[noreturn]] void become(const Batch& batch,
                         const std::map<std::string, std::string>& environment) {
  ::setpgid(0, 0);
  bound_resources();
  if (::chdir(batch.first->directory.c_str()) != 0) ::_exit(126);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  take_streams();
  std::vector<std::string> words = batch.first->command;
  if (!batch.filter.empty()) {
    words.push_back(std::string(kFilter) + batch.filter);
    words.emplace_back("--gtest_fail_fast");
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

std::vector<Test> tests_of(const std::filesystem::path& build,
                           const std::vector<std::string>& labels) {
  std::string any;
  for (const std::string& label : labels) any += (any.empty() ? "" : "|") + label;
  const auto listed = nlohmann::json::parse(output_of(
      "ctest --test-dir '" + build.string() + "' -L '^(" + any + ")$' --show-only=json-v1"));
  std::vector<Test> tests;
  for (const auto& entry : listed.at("tests")) {
    if (!entry.contains("command")) continue;
    Test test;
    test.name = entry.at("name");
    for (const std::string word : entry.at("command")) {
      if (word.starts_with(kFilter) && test.command.size() == 1) {
        test.filter = word.substr(kFilter.size());
      } else if (word != "--gtest_also_run_disabled_tests") {
        test.command.push_back(word);
      }
    }
    for (const auto& property : entry.at("properties")) {
      if (property.at("name") == "WORKING_DIRECTORY") {
        test.directory = property.at("value").get<std::string>();
      }
    }
    tests.push_back(std::move(test));
  }
  return tests;
}

std::vector<Batch> batches_of(const std::vector<const Test*>& tests) {
  constexpr std::size_t kMost = 128;
  std::vector<Batch> batches;
  std::size_t room = 0, size = 1;
  for (const Test* test : tests) {
    const bool joins = room > 0 && !test->filter.empty() &&
                       batches.back().first->command == test->command &&
                       !batches.back().filter.empty();
    if (joins) {
      batches.back().filter += ":" + test->filter;
      batches.back().takes += test->takes;
      --room;
    } else {
      batches.push_back({test, test->filter, test->takes});
      room = size - 1;
      size = std::min(size * 4, kMost);
    }
  }
  return batches;
}

Ending run(const Batch& batch, const std::map<std::string, std::string>& environment,
           Seconds at_most) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(batch, environment);
  ::setpgid(child, child);
  const auto end = std::chrono::steady_clock::now() + at_most;
  int status = 0;
  bool hung = false;
  auto pause = std::chrono::microseconds(500);
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= end) {
      hung = true;
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(10'000));
  }
  ::kill(-child, SIGKILL);  // what it left running
  if (hung) return Ending::hung;
  const bool passed =
      WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kSkipped);
  return passed ? Ending::passed : Ending::failed;
}

}  // namespace tiercache::mutation
