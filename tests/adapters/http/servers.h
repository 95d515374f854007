// Servers of this machine for the tests: a good one, and one that does whatever a script says.
#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tiercache/http.h"
#include "tiercache/refresh.h"

namespace tiercache::http::testing {

// A context as the engine makes it, with a deadline that only a test that hangs reaches.
RefreshContext context_for(const std::string& key = {}, EntryPtr previous = nullptr,
                           std::chrono::milliseconds hard_timeout = std::chrono::minutes(2));
EntryPtr entry_of(const std::string& document, const std::string& metadata);
// What the source throws, or in brackets what it gives instead.
std::string error_of(const Source& source, RefreshContext context = context_for());

// An httplib server on a thread of its own, on 127.0.0.1. Everything goes to one handler; requests
// are kept.
class Server {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  explicit Server(Handler handler, std::unique_ptr<httplib::Server> server = nullptr);
  ~Server();

  int port() const { return port_; }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string url(const std::string& target = "/data.json") const { return origin() + target; }
  std::vector<httplib::Request> requests() const;
  httplib::Request last() const { return requests().back(); }
  // The connections over which requests came, by the client's port.
  std::size_t connections() const;

 private:
  mutable std::mutex mutex_;
  std::vector<httplib::Request> requests_;  // guarded by `mutex_`
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  std::thread thread_;
};

// Takes connections on 127.0.0.1, one after another, reads what is asked, and lets a script answer.
class RawServer {
 public:
  // A connection; closed when the script returns.
  class Peer {
   public:
    explicit Peer(RawServer& server, int socket) : server_(server), socket_(socket) {}
    // False when the client is gone.
    bool send(const std::string& bytes);
    // Waits until the client hangs up, or the server stops.
    void wait_for_hang_up();
    // Ends the connection by RST rather than in good order.
    void reset();

   private:
    RawServer& server_;
    int socket_;
  };
  using Script = std::function<void(Peer&)>;

  explicit RawServer(Script script);
  ~RawServer();

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/data.json"; }
  int asked() const { return asked_; }
  // Blocks until so many requests were read.
  void wait_until_asked(int times) const;

 private:
  friend class Peer;
  void serve();
  bool read_request(int socket);

  Script script_;
  int listener_ = -1;
  int stop_pipe_[2] = {-1, -1};  // readable once the server stops
  int port_ = 0;
  std::atomic<int> asked_{0};
  std::thread thread_;
};

}  // namespace tiercache::http::testing
