#include "crash/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace tiercache::testing {

WorkerProcess::WorkerProcess(const Start& start) : start_(start) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category());
  const std::string worker = std::to_string(start.worker);
  const std::string life = std::to_string(start.life);
  const std::string seed = std::to_string(start.seed);
  const std::string end = std::to_string(ends[1]);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::fcntl(ends[1], F_SETFD, 0);
    ::execl(start.program.c_str(), start.program.c_str(), start.directory.c_str(),
            start.store.c_str(), worker.c_str(), life.c_str(), seed.c_str(), end.c_str(),
            start.soak ? "1" : "0", nullptr);
    ::_exit(kNotStarted);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
  if (pid_ < 0) throw std::system_error(errno, std::generic_category());
}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0) {
    send(SIGKILL);
    wait();
  }
  ::close(pipe_);
}

std::vector<Event> WorkerProcess::take_events(bool* ended) {
  char bytes[1 << 16];
  ssize_t size = 0;
  do {
    size = ::read(pipe_, bytes, sizeof bytes);
  } while (size < 0 && errno == EINTR);
  *ended = size <= 0;
  if (size > 0) unread_.append(bytes, static_cast<std::size_t>(size));
  std::vector<Event> events;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = unread_.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const auto event = parse_line(std::string_view(unread_).substr(begin, end - begin));
    if (event) events.push_back(*event);
  }
  unread_.erase(0, begin);
  return events;
}

void WorkerProcess::send(int signal) const {
  ::kill(pid_, signal);
}

int WorkerProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace tiercache::testing
