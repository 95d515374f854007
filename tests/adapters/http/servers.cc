#include "adapters/http/servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <set>
#include <stdexcept>
#include <variant>

#include "tiercache/clock.h"
#include "tiercache/entry.h"

namespace tiercache::http::testing {

RefreshContext context_for(const std::string& key, EntryPtr previous,
                           std::chrono::milliseconds hard_timeout) {
  const auto deadline = system_clock()->steady_now() + hard_timeout;
  return {{"data", key}, std::move(previous), false, kNever, deadline};
}

EntryPtr entry_of(const std::string& document, const std::string& metadata) {
  auto entry = std::make_shared<Entry>();
  entry->document = std::make_shared<const std::string>(document);
  entry->checksum = Checksum::of(document);
  entry->metadata = metadata;
  return entry;
}

std::string error_of(const Source& source, RefreshContext context) {
  try {
    RefreshAnswer<std::string> answer = source(context);
    if (const auto* document = std::get_if<Refreshed<std::string>>(&answer.get())) {
      return "(document of " + std::to_string(document->value.size()) + " bytes)";
    }
    return "(no document)";
  } catch (const std::exception& error) {
    return error.what();
  }
}

// --- Server ---

Server::Server(Handler handler, std::unique_ptr<httplib::Server> server)
    : server_(server ? std::move(server) : std::make_unique<httplib::Server>()) {
  server_->set_keep_alive_timeout(1);
  server_->set_tcp_nodelay(true);
  server_->Get(".*", [this, handler = std::move(handler)](const auto& request, auto& response) {
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    handler(request, response);
  });
  port_ = server_->bind_to_any_port("127.0.0.1");
  if (port_ <= 0) throw std::runtime_error("no port");
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  while (!server_->is_running()) std::this_thread::yield();
}

Server::~Server() {
  server_->stop();
  thread_.join();
}

std::vector<httplib::Request> Server::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t Server::connections() const {
  std::set<int> ports;
  for (const auto& request : requests()) ports.insert(request.remote_port);
  return ports.size();
}

// --- RawServer ---

RawServer::RawServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, any, &size) != 0 || ::pipe(stop_pipe_) != 0) {
    throw std::runtime_error("no listening socket");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

RawServer::~RawServer() {
  (void)!::write(stop_pipe_[1], "x", 1);
  thread_.join();
  for (const int descriptor : {listener_, stop_pipe_[0], stop_pipe_[1]}) ::close(descriptor);
}

void RawServer::wait_until_asked(int times) const {
  for (int now = asked_; now < times; now = asked_) asked_.wait(now);
}

void RawServer::serve() {
  while (true) {
    pollfd waited[] = {{listener_, POLLIN, 0}, {stop_pipe_[0], POLLIN, 0}};
    ::poll(waited, 2, -1);
    if (waited[1].revents != 0) return;
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) continue;
    if (read_request(socket)) {
      ++asked_;
      asked_.notify_all();
      Peer peer(*this, socket);
      script_(peer);
    }
    ::close(socket);
  }
}

bool RawServer::read_request(int socket) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos) {
    pollfd waited[] = {{socket, POLLIN, 0}, {stop_pipe_[0], POLLIN, 0}};
    ::poll(waited, 2, -1);
    if (waited[1].revents != 0) return false;
    char buffer[4096];
    const auto got = ::recv(socket, buffer, sizeof(buffer), 0);
    if (got <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return true;
}

bool RawServer::Peer::send(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    pollfd waited[] = {{socket_, POLLOUT, 0}, {server_.stop_pipe_[0], POLLIN, 0}};
    ::poll(waited, 2, -1);
    if (waited[1].revents != 0) return false;
    const auto some =
        ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (some < 0 && errno != EAGAIN) return false;
    if (some > 0) sent += static_cast<std::size_t>(some);
  }
  return true;
}

void RawServer::Peer::wait_for_hang_up() {
  pollfd waited[] = {{socket_, POLLIN, 0}, {server_.stop_pipe_[0], POLLIN, 0}};
  ::poll(waited, 2, -1);
}

void RawServer::Peer::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

}  // namespace tiercache::http::testing
