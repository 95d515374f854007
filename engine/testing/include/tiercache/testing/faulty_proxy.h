// A network that misbehaves: a TCP proxy on loopback in front of a real server, for tests of stores
// and sources.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace tiercache::testing {

// What happens to connections, both those that stand and those to come.
enum class Network : std::uint8_t {
  works,            // bytes are passed on both ways
  refuses,          // connections end as soon as they are made, and those that stand are reset
  swallows,         // nothing arrives in either direction, as if packets were dropped
  swallows_answers  // requests arrive but answers do not, so what was asked may have been done
};

// Owns a thread and a listening socket; both end with the object. Thread-safe.
class FaultyProxy {
 public:
  // Throws std::runtime_error if it cannot listen. `host` is a numeric address or the path of a
  // unix socket; then `port` is ignored.
  FaultyProxy(std::string host, std::uint16_t port);
  ~FaultyProxy();
  FaultyProxy(const FaultyProxy&) = delete;
  FaultyProxy& operator=(const FaultyProxy&) = delete;

  // The port on 127.0.0.1 to connect to.
  std::uint16_t port() const;

  // Bytes that one state has swallowed do not arrive in the next: what hung goes on hanging.
  void set(Network network);
  // Connections that stand hang for ever, as if a switch had lost its table; those to come work.
  void hang_standing();
  // From now on every connection is reset once so many bytes of the server's answers were passed
  // on, counted from this call; what came before arrives. With 0 none is reset.
  void reset_after_answers(std::uint64_t bytes);
  // The same for what the client sends: the server sees a request that ends in the middle.
  void reset_after_requests(std::uint64_t bytes);

  // How many connections were accepted so far.
  std::uint64_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tiercache::testing
