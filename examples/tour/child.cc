#include "tour/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace tour {

using std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kPatience{60};

// Between fork and exec: system calls alone.
[[noreturn]] void become(char* const* arguments, int output, int log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

Child::Child(const std::vector<std::string>& command, const std::filesystem::path& log)
    : name_(std::filesystem::path(command.front()).filename().string()) {
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> ends{};
  const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_file < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot start " + name_);
  }
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(arguments.data(), ends[1], log_file, parent);
  ::close(ends[1]);
  ::close(log_file);
  output_ = ends[0];
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "cannot start " + name_);
}

Child::~Child() {
  kill();
  ::close(output_);
}

void Child::read_more(steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
  pollfd waiting = {.fd = output_, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<long>(left.count(), 0)));
  if (ready < 0 && errno == EINTR) return;
  if (ready <= 0) throw std::runtime_error(name_ + " said nothing for a minute");
  std::array<char, 4096> bytes{};
  const ssize_t read = ::read(output_, bytes.data(), bytes.size());
  if (read <= 0) {
    ended_ = true;
  } else {
    text_.append(bytes.data(), static_cast<std::size_t>(read));
  }
}

std::string Child::wait_for_line(const std::string& beginning) {
  const auto deadline = steady_clock::now() + kPatience;
  for (;;) {
    const std::string lines = "\n" + text_;
    const auto at = lines.find("\n" + beginning);
    const auto end = at == std::string::npos ? at : lines.find('\n', at + 1);
    if (end != std::string::npos) {
      const auto rest = at + 1 + beginning.size();
      return lines.substr(rest, end - rest);
    }
    if (ended_) throw std::runtime_error(name_ + " ended without saying \"" + beginning + "…\"");
    read_more(deadline);
  }
}

int Child::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Child::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  reap();
}

int Child::terminate() {
  ::kill(pid_, SIGTERM);
  return wait();
}

int Child::wait() {
  const auto deadline = steady_clock::now() + kPatience;
  while (!ended_) read_more(deadline);
  return reap();
}

}  // namespace tour
