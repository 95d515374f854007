// An httplib server on a thread of its own.
#pragma once

#include <httplib.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace refresh_service {

// Routes are added to `routes()` before `start`. Destroying it stops it and waits for the requests
// under way.
class LocalServer {
 public:
  LocalServer() {
    // Idle connections are let go of soon, so that stopping never waits long for one.
    server_.set_keep_alive_timeout(1);
    server_.set_tcp_nodelay(true);
    server_.set_pre_routing_handler([](const httplib::Request& request, httplib::Response&) {
      say_length(const_cast<httplib::Request&>(request));
      return httplib::Server::HandlerResponse::Unhandled;
    });
    // Without SO_REUSEPORT, which httplib sets: two services must not share a port unnoticed.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
  }
  ~LocalServer() { stop(); }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  httplib::Server& routes() { return server_; }

  // Returns the port, which is the one asked for unless that was 0. Throws when it cannot be had.
  int start(const std::string& address, int port) {
    const bool bound = port == 0 ? (port = server_.bind_to_any_port(address)) > 0
                                 : server_.bind_to_port(address, port);
    if (!bound) {
      throw std::runtime_error("cannot listen on " + address + " port " + std::to_string(port) +
                               ": is it taken, or no address of this machine?");
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // A stop before the thread listens would be missed.
    while (!server_.is_running()) std::this_thread::yield();
    return port;
  }

  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

 private:
  // A request that tells no length has no body (RFC 9112, 6.3), as `curl -X POST` sends it. httplib
  // would wait five seconds for one, and then not serve it; what it is told here, it believes.
  static void say_length(httplib::Request& request) {
    const bool told =
        request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
    if (!told) request.headers.emplace("Content-Length", "0");
  }

  httplib::Server server_;
  std::thread thread_;
};

// "http://127.0.0.1:8080", with an IPv6 address in brackets.
inline std::string url_of(const std::string& address, int port) {
  const bool v6 = address.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

}  // namespace refresh_service
