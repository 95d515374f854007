// Where the server is. Takes the URL apart, and keeps its secrets out of every text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Immutable. Thread-safe.
class ServerAddress {
 public:
  // Throws BadConfiguration as `read_url` does, and for options that do not go with the URL.
  explicit ServerAddress(const Options& options);

  // Returns `host:port/database as user`, as far as the URL names them.
  const std::string& description() const { return description_; }
  // Returns everything in libpq's form, secrets included. With `with_session_options` it asks for
  // settings of the session too, which a pooler may refuse.
  std::string connection_string(bool with_session_options) const;
  // Returns the text without secrets, on one line and with single blanks.
  std::string redacted(std::string text) const;

 private:
  void remember_secrets(const std::string& url, const std::map<std::string, std::string>& settings);

  std::string settings_;
  std::string options_;          // the URL's own
  std::string session_options_;  // ours, before those
  std::string description_;
  std::vector<std::string> secrets_;  // longest first
};

}  // namespace tiercache::postgres
