#include "refresh_service/http_source.h"

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "tiercache/error.h"
#ifdef TIERCACHE_WITH_HTTP
#include "tiercache/http.h"
#endif

namespace refresh_service {

#ifdef TIERCACHE_WITH_HTTP

namespace {

std::string token_of(const std::string& variable) {
  const char* token = std::getenv(variable.c_str());
  if (!token) throw std::runtime_error("the environment has no " + variable);
  return token;
}

}  // namespace

Source ask_http(const HttpSource& source) {
  tiercache::http::Options options{
      .url = source.url, .select = source.select, .ca_file = source.ca_file};
  if (!source.bearer_env.empty()) {
    options.bearer = [variable = source.bearer_env] { return token_of(variable); };
  }
  return tiercache::http::source(std::move(options));
}

#else

Source ask_http(const HttpSource&) {
  throw tiercache::BadConfiguration(
      "this service was built without tiercache::http: install libcurl, and build it again");
}

#endif

std::string fault_of(const HttpSource& source) {
  try {
    ask_http(source);
    return {};
  } catch (const tiercache::BadConfiguration& error) {
    return error.what();
  }
}

}  // namespace refresh_service
