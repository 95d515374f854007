// A network that misbehaves: a TCP proxy on loopback in front of a real server, for tests of stores
// and sources.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace tiercache::testing {

// What becomes of connections, those that stand and those to come.
enum class Network : std::uint8_t {
  works,            // bytes are passed on both ways
  refuses,          // connections end as soon as they are made, those that stand are reset
  swallows,         // nothing arrives in either direction, as with packets that are dropped
  swallows_answers  // requests arrive, answers do not: what was asked may have been done
};

// Owns a thread and a listening socket; both end with the object. Thread-safe.
class FaultyProxy {
 public:
  // Throws std::runtime_error when it cannot listen. `host` is a numeric address, or the path of a
  // unix socket; then `port` is not looked at.
  FaultyProxy(std::string host, std::uint16_t port);
  ~FaultyProxy();
  FaultyProxy(const FaultyProxy&) = delete;
  FaultyProxy& operator=(const FaultyProxy&) = delete;

  // Where to connect to, on 127.0.0.1.
  std::uint16_t port() const;

  // Bytes swallowed by one state do not come in the next: what hung goes on hanging.
  void set(Network network);
  // Connections that stand hang for ever, as after a switch that lost its table; those to come
  // work.
  void hang_standing();
  // From now on every connection, counted from here, is reset once so many bytes of the server's
  // answers were passed on; what came before arrives. Zero: none is.
  void reset_after_answers(std::uint64_t bytes);
  // The same of what the client sends: the server sees a request that ends in the middle.
  void reset_after_requests(std::uint64_t bytes);

  // Connections that were taken so far.
  std::uint64_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tiercache::testing
