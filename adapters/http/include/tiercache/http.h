// Documents from HTTP APIs: a ready-made refresh callback that uses libcurl. The guide is
// docs/http-sources.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tiercache/clock.h"
#include "tiercache/codec.h"
#include "tiercache/options.h"
#include "tiercache/refresh.h"

namespace tiercache::http {

// One request header. Its value may be a secret: no message shows it, and it is sent to no other
// origin.
struct Header {
  // Sent as it is. Not one of those that the adapter sets itself or must not have: Accept-Encoding,
  // Connection, Content-Length, Host, If-Modified-Since, If-None-Match, Proxy-Authorization, Range,
  // Transfer-Encoding; nor Authorization if there is a `bearer`.
  std::string name;
  std::string value;  // printable characters and tabs
};

// Where documents come from, and how they are asked for.
//
// | field            | meaning                                         | default   | zero, empty  |
// |------------------|-------------------------------------------------|-----------|--------------|
// | url              | where to ask; {key} in path or query stands for | required  | not allowed  |
// |                  | the key                                         |           |              |
// | bearer           | returns the token of each request; several      | none      | no token     |
// |                  | threads may call it at once                     |           |              |
// | headers          | what is sent with each request                  | none      |              |
// | select           | JSON pointer to the part of the answer to keep  | ""        | all of it    |
// | connect_timeout  | how long connecting may take, TLS included      | 5 s       | not allowed  |
// | timeout          | how long the whole refresh may take, redirects  | 30 s      | not allowed  |
// |                  | included                                        |           |              |
// | max_bytes        | the largest answer, decompressed                | 16 MiB    | not allowed  |
// | max_redirects    | how many are followed; none from https to http  | 5         | none         |
// | ca_file          | PEM file of the authorities that are trusted    | ""        | the system's |
// | proxy            | URL of a proxy, or "none"; loopback needs none  | ""        | environment  |
// | allow_plain_http | allow http:// to other machines                 | false     |              |
// | clock            | the clock of deadlines and of Retry-After dates | machine's | not allowed  |
//
// Only one kind of credentials goes with a request: `bearer` is refused together with user info in
// the URL and with a header Authorization. Timeouts are at most 24 h, `max_bytes` is at most 1 GiB,
// `max_redirects` at most 20.
//
// The refresh's own deadline (the dataset's `hard_timeout`) and its cancellation end a transfer
// too, within a tenth of a second.
struct Options {
  std::string url;
  std::function<std::string()> bearer = {};
  std::vector<Header> headers = {};
  std::string select = {};
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_bytes = std::size_t{16} << 20;
  int max_redirects = 5;
  std::string ca_file = {};
  std::string proxy = {};
  bool allow_plain_http = false;
  std::shared_ptr<Clock> clock = system_clock();
};

namespace detail {
class Client;
// Throws the error for a document that its type refuses. `why` is left out if the document is not
// JSON, because parsers quote the text then.
[[noreturn]] void throw_undecodable(const std::string& document, const std::string& why);
}  // namespace detail

// The source's answer, which converts to the answer of a dataset of any type.
class Answer {
 public:
  // Used by `Source`.
  explicit Answer(RefreshAnswer<std::string> answer) : answer_(std::move(answer)) {}

  // For an untyped dataset the document is the text as it came, for others what the type's codec
  // makes of it. Throws if the codec refuses it. (A dataset of std::string cannot be told from an
  // untyped one, and gets the text.)
  template <class Value>
  operator RefreshAnswer<Value>() &&;

 private:
  RefreshAnswer<std::string> answer_;
};

// A refresh callback, which any number of datasets and threads may use at once. Copies share their
// connections. It must not be carried across fork().
//
// It answers `NotFound` for the statuses 404 and 410, and for a key that would change the URL's
// path (".."), and `NotModified` for 304. It throws `RetryAfter` if the source says when to come
// back, and std::runtime_error for everything else that is not a document. Its messages show no
// user info, query values, header values, tokens or text of the answer.
class Source {
 public:
  // Used by `source`, below.
  explicit Source(std::shared_ptr<const detail::Client> client) : client_(std::move(client)) {}

  // Asks the source for the context's key and waits for the answer. Throws as said above.
  Answer operator()(RefreshContext& context) const;

 private:
  std::shared_ptr<const detail::Client> client_;
};

// Returns the callback for these options. Does no I/O. Throws `BadConfiguration`, which lists every
// fault, for options that cannot work.
Source source(Options options);

// --- Implementation ---

template <class Value>
Answer::operator RefreshAnswer<Value>() && {
  if constexpr (std::is_same_v<Value, std::string>) {
    return std::move(answer_);
  } else {
    auto& answer = answer_.get();
    if (auto* same = std::get_if<NotModified>(&answer)) return std::move(*same);
    if (std::holds_alternative<NotFound>(answer)) return NotFound{};
    auto& text = std::get<Refreshed<std::string>>(answer);
    try {
      return Refreshed<Value>{Codec<Value>::decode(text.value), std::move(text.metadata),
                              text.fresh_for};
    } catch (const std::exception& error) {
      detail::throw_undecodable(text.value, error.what());
    }
  }
}

}  // namespace tiercache::http
