// One request over libcurl, and the connections that are kept between requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/clock.h"

namespace tiercache::http {

struct Request {
  std::string url;
  std::vector<std::string> headers;      // "Name: value"
  std::optional<std::string> user_info;  // "user:password", decoded
  std::string proxy;                     // as libcurl takes it; "" for none
  bool environment_proxy = false;        // leaves the choice to the environment
  std::string ca_file;
  std::chrono::milliseconds connect_timeout{0};
  std::size_t max_bytes = 0;
  SteadyTime deadline = kNever;
  std::function<bool()> cancelled;
};

// Empty strings stand for headers that the answer lacks.
struct Reply {
  long status = 0;
  std::string body;      // only of a 200 or 203
  std::string redirect;  // where a 3xx leads, as an absolute URL
  std::string etag;
  std::string last_modified;
  std::string retry_after;
  std::string date;
};

// A pool of easy handles with their connections; each is in use by one request at a time.
// Thread-safe.
class Transfers {
 public:
  explicit Transfers(std::shared_ptr<Clock> clock);
  ~Transfers();

  // Throws std::runtime_error with what libcurl says, which never includes user info, header values
  // or text of the answer.
  Reply run(const Request& request);

 private:
  class Handle;

  std::unique_ptr<Handle> take();
  void put_back(std::unique_ptr<Handle> handle);

  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;  // guarded by `mutex_`
};

}  // namespace tiercache::http
