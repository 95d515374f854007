// A program that the tour starts, listens to, stops and kills.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace tour {

// Its standard output is read here, its standard error is added to a file. It dies with the tour.
// Destroying it kills it.
class Child {
 public:
  // Throws when it cannot be started.
  Child(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The rest of the first line that begins so. Throws when it does not come.
  std::string wait_for_line(const std::string& beginning);
  // kill -9, and waits for its end.
  void kill();
  // SIGTERM, and waits for its end.
  int terminate();
  // Waits until it ends by itself. Returns its exit code, -1 when a signal ended it.
  int wait();

 private:
  void read_more(std::chrono::steady_clock::time_point deadline);
  int reap();

  const std::string name_;
  pid_t pid_ = -1;  // -1: ended
  int output_ = -1;
  std::string text_;
  bool ended_ = false;  // its output has
};

}  // namespace tour
