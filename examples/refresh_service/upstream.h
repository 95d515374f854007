// A small HTTP upstream of the service's own, which stands for somebody else's API in tours and
// tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "refresh_service/local_server.h"

namespace refresh_service {

// Serves a folder on this machine alone: GET /<file> with an ETag, 304 where If-None-Match names
// it. GET /_calls tells how often documents were asked for, in all and by target. POST
// /_fail?status=503&retry_after=2 makes every document answer that, until POST /_heal. Thread-safe.
class Upstream {
 public:
  explicit Upstream(std::filesystem::path folder);

  // Port 0: any free one. Returns the port; throws when it cannot be had.
  int start(int port) { return server_.start("127.0.0.1", port); }

 private:
  void serve(const httplib::Request& request, httplib::Response& response);
  // Counts the call. True where it has answered as `/_fail` said.
  bool counts_and_fails(const httplib::Request& request, httplib::Response& response);
  void send_file(const httplib::Request& request, httplib::Response& response) const;
  void tell_calls(httplib::Response& response);
  void set_failure(const httplib::Request& request, httplib::Response& response);

  const std::filesystem::path folder_;
  std::mutex mutex_;
  // All below are guarded by `mutex_`.
  std::map<std::string, std::uint64_t> calls_;  // by target
  int failing_status_ = 0;                      // 0: not failing
  std::string retry_after_;
  // Not guarded. Last, since its threads use the rest.
  LocalServer server_;
};

}  // namespace refresh_service
