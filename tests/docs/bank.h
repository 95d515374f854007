// A source for the guide's examples, which a test can make busy, slow or wrong.
#pragma once

#include <chrono>
#include <string>

namespace guide {

struct Response {
  int status = 200;
  std::string body = R"({"EUR":1.0833})";
  std::string etag = R"("v1")";
  std::chrono::seconds retry_after{0};
};

struct Bank {
  Response get(const std::string& path, const std::string& if_none_match = {}) {
    ++calls;
    last_path = path;
    if (next.status == 200 && !if_none_match.empty() && if_none_match == next.etag) {
      return {.status = 304, .body = {}};
    }
    return next;
  }

  Response next;
  int calls = 0;
  std::string last_path;
};

}  // namespace guide
