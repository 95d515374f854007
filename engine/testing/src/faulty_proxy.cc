#include "tiercache/testing/faulty_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace tiercache::testing {

namespace {

constexpr std::size_t kMostBuffered = 1 << 20;

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;

  int get() const { return fd_; }
  // Closes so that the peer sees a reset instead of an end.
  void reset() {
    if (fd_ < 0) return;
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int fd_;
};

// One direction of a connection.
struct Flow {
  std::string waiting;
  std::uint64_t passed = 0;
  bool ended = false;   // the sender has nothing more to send
  bool closed = false;  // the receiver was told so
};

struct Connection {
  Socket client;
  Socket server;
  Flow requests;
  Flow answers;
  bool hangs = false;
};

// The address of the server.
struct Target {
  sockaddr_storage address{};
  socklen_t size = 0;
};

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error("FaultyProxy: \"" + host + "\" is no numeric address");
  }
  return address;
}

Target target_of(const std::string& host, std::uint16_t port) {
  Target target;
  if (!host.starts_with('/')) {
    const sockaddr_in address = address_of(host, port);
    target.size = sizeof address;
    std::memcpy(&target.address, &address, sizeof address);
    return target;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (host.size() >= sizeof address.sun_path) {
    throw std::runtime_error("FaultyProxy: \"" + host + "\" is too long for a socket's path");
  }
  host.copy(address.sun_path, host.size());
  target.size = sizeof address;
  std::memcpy(&target.address, &address, sizeof address);
  return target;
}

// Takes what has arrived. Returns false if the connection broke.
bool receive(int from, Flow& flow, bool swallow) {
  std::array<char, 16 << 10> buffer{};
  const ssize_t count = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) flow.ended = true;
  if (!swallow) flow.waiting.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

// Passes on what waits, up to `limit` bytes altogether, and then the end, unless that is swallowed.
// Returns false if the connection broke.
bool send(int to, Flow& flow, std::uint64_t limit, bool swallow) {
  const std::uint64_t left = limit > flow.passed ? limit - flow.passed : 0;
  const std::size_t size = std::min<std::uint64_t>(flow.waiting.size(), left);
  if (size > 0) {
    const ssize_t count = ::send(to, flow.waiting.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    flow.waiting.erase(0, static_cast<std::size_t>(count));
    flow.passed += static_cast<std::uint64_t>(count);
  }
  const bool at_end = flow.ended && flow.waiting.empty() && !swallow;
  if (at_end && !std::exchange(flow.closed, true)) ::shutdown(to, SHUT_WR);
  return true;
}

}  // namespace

struct FaultyProxy::State {
  explicit State(const Target& server) : target(server) {}

  void run();
  void wait(std::vector<pollfd>& polled);
  void accept_one();
  bool pass(Connection& connection, const pollfd& client, const pollfd& server);
  void wake() const {
    const char byte = 0;
    if (::write(wake_write, &byte, 1) < 0) return;  // a full pipe has woken it already
  }

  const Target target;
  Socket listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::uint16_t port = 0;
  int wake_read = -1;
  int wake_write = -1;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> taken{0};
  std::atomic<Network> network{Network::works};
  std::atomic<std::uint64_t> answer_limit{0};
  std::atomic<std::uint64_t> request_limit{0};
  std::atomic<bool> recount{false};
  std::atomic<bool> hang_all{false};
  std::list<Connection> connections;  // used by the thread only
  std::thread thread;
};

void FaultyProxy::State::accept_one() {
  Socket client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client.get() < 0) return;
  ++taken;
  if (network == Network::refuses) return client.reset();
  Socket server(::socket(target.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
  if (::connect(server.get(), address, target.size) != 0) return client.reset();
  connections.push_back({std::move(client), std::move(server), {}, {}, false});
}

// Returns false when the connection is over.
bool FaultyProxy::State::pass(Connection& connection, const pollfd& client, const pollfd& server) {
  const Network now = network;
  if (now == Network::refuses) return false;
  const bool no_requests = now == Network::swallows || connection.hangs;
  const bool no_answers = no_requests || now == Network::swallows_answers;
  constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
  Flow& requests = connection.requests;
  Flow& answers = connection.answers;
  if ((client.revents & kReadable) != 0 && !receive(client.fd, requests, no_requests)) return false;
  if ((server.revents & kReadable) != 0 && !receive(server.fd, answers, no_answers)) return false;
  const std::uint64_t most_requests = request_limit != 0 ? request_limit.load() : UINT64_MAX;
  const std::uint64_t most_answers = answer_limit != 0 ? answer_limit.load() : UINT64_MAX;
  if (!send(server.fd, requests, most_requests, no_requests) ||
      !send(client.fd, answers, most_answers, no_answers)) {
    return false;
  }
  const bool cut = requests.passed >= most_requests || answers.passed >= most_answers;
  return !cut && !(requests.closed && answers.closed);
}

void FaultyProxy::State::wait(std::vector<pollfd>& polled) {
  polled = {{wake_read, POLLIN, 0}, {listener.get(), POLLIN, 0}};
  const auto events = [](const Flow& in, const Flow& out) {
    const bool reads = !in.ended && in.waiting.size() < kMostBuffered;
    return static_cast<short>((reads ? POLLIN : 0) | (out.waiting.empty() ? 0 : POLLOUT));
  };
  for (const Connection& one : connections) {
    polled.push_back({one.client.get(), events(one.requests, one.answers), 0});
    polled.push_back({one.server.get(), events(one.answers, one.requests), 0});
  }
  ::poll(polled.data(), polled.size(), -1);
  std::array<char, 64> bytes{};
  if ((polled[0].revents & POLLIN) != 0 && ::read(wake_read, bytes.data(), bytes.size()) < 0)
    return;
}

void FaultyProxy::State::run() {
  std::vector<pollfd> polled;
  while (!stop) {
    wait(polled);
    std::size_t at = 2;
    const bool from_here = recount.exchange(false);
    const bool hang = hang_all.exchange(false);
    for (auto one = connections.begin(); one != connections.end(); at += 2) {
      one->hangs = one->hangs || hang;
      if (from_here) one->requests.passed = one->answers.passed = 0;
      if (pass(*one, polled[at], polled[at + 1])) {
        ++one;
        continue;
      }
      one->client.reset();
      one->server.reset();
      one = connections.erase(one);
    }
    if ((polled[1].revents & POLLIN) != 0) accept_one();
  }
}

FaultyProxy::FaultyProxy(std::string host, std::uint16_t port)
    : state_(std::make_unique<State>(target_of(host, port))) {
  sockaddr_in address = address_of("127.0.0.1", 0);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  std::array<int, 2> pipe{};
  if (::bind(state_->listener.get(), raw, size) != 0 ||
      ::listen(state_->listener.get(), 128) != 0 ||
      ::getsockname(state_->listener.get(), raw, &size) != 0 ||
      ::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::runtime_error("FaultyProxy: cannot listen on 127.0.0.1");
  }
  state_->port = ntohs(address.sin_port);
  state_->wake_read = pipe[0];
  state_->wake_write = pipe[1];
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

FaultyProxy::~FaultyProxy() {
  state_->stop = true;
  state_->wake();
  state_->thread.join();
  ::close(state_->wake_read);
  ::close(state_->wake_write);
}

std::uint16_t FaultyProxy::port() const {
  return state_->port;
}

void FaultyProxy::set(Network network) {
  state_->network = network;
  state_->wake();
}

void FaultyProxy::hang_standing() {
  state_->hang_all = true;
  state_->wake();
}

void FaultyProxy::reset_after_answers(std::uint64_t bytes) {
  state_->answer_limit = bytes;
  state_->recount = true;
  state_->wake();
}

void FaultyProxy::reset_after_requests(std::uint64_t bytes) {
  state_->request_limit = bytes;
  state_->recount = true;
  state_->wake();
}

std::uint64_t FaultyProxy::connections() const {
  return state_->taken;
}

}  // namespace tiercache::testing
