#include "client.h"

#include <curl/curl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "retry_after.h"
#include "tiercache/entry.h"

namespace tiercache::http::detail {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr const char* kEtag = "etag";
constexpr const char* kLastModified = "last_modified";
// Says what the validators belong to, so that those of another URL or another part are not sent.
constexpr const char* kSource = "source";
constexpr std::size_t kLongestValidator = 1024;

// It has so few bits that a secret in the URL cannot be found by it.
std::string fingerprint_of(const Options& options) {
  return Checksum::of(options.url + '\n' + options.select).to_string().substr(0, 8);
}

// Returns the text if it may be kept and sent back as a header's value (printable ASCII), else
// nothing.
std::string validator(const std::string& text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7f; });
  return plain && text.size() <= kLongestValidator ? text : "";
}

// True if a header can hold the token and is not split by it.
bool may_be_token(const std::string& token) {
  return !token.empty() && std::all_of(token.begin(), token.end(),
                                       [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

bool leads_elsewhere(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool sets_accept(const std::vector<Header>& headers) {
  return std::any_of(headers.begin(), headers.end(), [](const Header& header) {
    return curl_strequal(header.name.c_str(), "accept") != 0;
  });
}

// JSON never begins like this, but the pages of proxies, captive portals and error handlers do.
bool looks_like_markup(const std::string& body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string::npos && body[first] == '<';
}

bool is_blank(const std::string& body) {
  return body.find_first_not_of(" \t\r\n") == std::string::npos;
}

// Some editors put a mark in front of UTF-8, which is not part of JSON.
void drop_byte_order_mark(std::string& body) {
  if (body.starts_with("\xEF\xBB\xBF")) body.erase(0, 3);
}

}  // namespace

Client::Client(Options options)
    : options_(std::move(options)),
      url_(options_.url),
      select_(options_.select),
      fingerprint_(fingerprint_of(options_)),
      sets_accept_(sets_accept(options_.headers)),
      transfers_(options_.clock) {}

void Client::fail(const std::string& what) const {
  throw std::runtime_error("GET " + url_.shown() + ": " + what);
}

RefreshAnswer<std::string> Client::fetch(const RefreshContext& context) const {
  if (url_.has_key() && context.key().empty()) {
    fail("the URL has {key}, but the dataset is not keyed");
  }
  if (!url_.has_key() && !context.key().empty()) {
    fail("the dataset is keyed, but the URL has no {key}");
  }
  const auto url = url_.expand(context.key());
  if (!url) return NotFound{};
  Round round = begin(context);
  round.token = ask_token();
  Reply reply = ask(*url, round);
  if (reply.status == 401 && options_.bearer && round.credentials_used) {
    std::string token = ask_token();
    if (token != round.token) {
      round.token = std::move(token);
      reply = ask(*url, round);
    }
  }
  return answer_of(std::move(reply), round);
}

Client::Round Client::begin(const RefreshContext& context) const {
  Round round{.context = context,
              .deadline = std::min(context.hard_deadline(),
                                   options_.clock->steady_now() + options_.timeout),
              .etag = {},
              .last_modified = {},
              .token = {},
              .origin = url_.origin()};
  if (context.previous() && context.previous_metadata(kSource) == fingerprint_) {
    round.etag = validator(context.previous_metadata(kEtag));
    round.last_modified = validator(context.previous_metadata(kLastModified));
  }
  return round;
}

std::string Client::ask_token() const {
  if (!options_.bearer) return {};
  std::string token = options_.bearer();
  if (!may_be_token(token)) {
    fail(token.empty() ? "`bearer` gave no token" : "`bearer` gave what no header can hold");
  }
  return token;
}

// --- Asking ---

Reply Client::ask(const std::string& url, Round& round) const {
  Target target{url, url_.origin()};
  for (int redirects = 0;; ++redirects) {
    Reply reply;
    try {
      reply = transfers_.run(request_for(target, round));
    } catch (const std::exception& error) {
      const bool moved = target.origin != url_.origin();
      fail((moved ? "redirected to " + target.origin.to_string() + ": " : "") + error.what());
    }
    if (!leads_elsewhere(reply.status)) return reply;
    if (redirects == options_.max_redirects) {
      fail("answered " + std::to_string(reply.status) + ", and max_redirects is " +
           std::to_string(options_.max_redirects));
    }
    target = redirect_from(target, reply);
  }
}

Request Client::request_for(const Target& target, Round& round) const {
  Request request;
  request.url = target.url;
  if (!round.etag.empty()) request.headers.push_back("If-None-Match: " + round.etag);
  if (!round.last_modified.empty()) {
    request.headers.push_back("If-Modified-Since: " + round.last_modified);
  }
  round.origin = target.origin;
  round.credentials_used = target.origin == url_.origin();
  if (!round.credentials_used || !sets_accept_) {
    request.headers.push_back("Accept: application/json");
  }
  if (round.credentials_used) {
    if (!round.token.empty()) request.headers.push_back("Authorization: Bearer " + round.token);
    for (const Header& header : options_.headers) {
      // A header without a value is given to libcurl with a semicolon.
      const bool empty = header.value.empty();
      request.headers.push_back(header.name + (empty ? ";" : ": " + header.value));
    }
    if (url_.has_user_info()) request.user_info = url_.user() + ':' + url_.password();
  }
  request.environment_proxy = options_.proxy.empty() && !target.origin.is_loopback();
  if (options_.proxy != "none" && !target.origin.is_loopback()) request.proxy = options_.proxy;
  request.ca_file = options_.ca_file;
  request.connect_timeout = options_.connect_timeout;
  request.max_bytes = options_.max_bytes;
  request.deadline = round.deadline;
  request.cancelled = [&context = round.context] { return context.cancelled(); };
  return request;
}

Target Client::redirect_from(const Target& from, const Reply& reply) const {
  const std::string status = std::to_string(reply.status);
  if (reply.redirect.empty()) {
    fail("answered " + status + " without a place to go to: its Location is missing or no URL");
  }
  auto target = parse_target(reply.redirect);
  if (!target) fail("answered " + status + ", which leads to what is no http or https URL");
  const Origin& origin = target->origin;
  if (origin.is_plain() && !from.origin.is_plain()) {
    fail("answered " + status + ", which leads from https to " + origin.to_string());
  }
  if (origin.is_plain() && !origin.is_loopback() && !options_.allow_plain_http) {
    fail("answered " + status + ", which leads to " + origin.to_string() +
         " without allow_plain_http");
  }
  return *std::move(target);
}

// --- What the answer means ---

bool Client::has_credentials(const Round& round) const {
  return !round.token.empty() || !options_.headers.empty() || url_.has_user_info();
}

std::string Client::what_answered(const Reply& reply, const Round& round) const {
  const std::string what = "answered " + std::to_string(reply.status);
  if (round.origin == url_.origin()) return what;
  const bool refused = reply.status == 401 || reply.status == 403;
  return "redirected to " + round.origin.to_string() + ": " + what +
         (refused && has_credentials(round)
              ? "; tokens, headers and user info are for " + url_.origin().to_string() +
                    " and were not sent there"
              : "");
}

RefreshAnswer<std::string> Client::answer_of(Reply reply, const Round& round) const {
  const bool conditional = !round.etag.empty() || !round.last_modified.empty();
  if (reply.status == 200 || reply.status == 203) return document_of(std::move(reply));
  if (reply.status == 304 && conditional) return not_modified(reply, round);
  if (reply.status == 404 || reply.status == 410) return NotFound{};
  const std::string what = what_answered(reply, round);
  // Some sources answer 403 where others answer 429, and any 5xx may come from a source that knows
  // when it will be back.
  if (reply.status >= 400) {
    const auto delay = retry_delay(reply.retry_after, reply.date, options_.clock->wall_now());
    if (delay) throw RetryAfter(*delay, "GET " + url_.shown() + ": " + what);
  }
  if (reply.status == 304) fail(what + " to an unconditional request");
  fail(reply.status < 300 ? what + ", not 200 with a document" : what);
}

Refreshed<std::string> Client::document_of(Reply reply) const {
  const std::string metadata = metadata_of(reply);
  std::string& body = reply.body;
  drop_byte_order_mark(body);
  if (is_blank(body)) fail("answered 200 without a document");
  if (looks_like_markup(body)) fail("answered 200 with an HTML or XML page, not with JSON");
  if (select_.names_all()) return {std::move(body), metadata, {}};
  std::optional<std::string> part;
  try {
    part = select_.find_in(body);
  } catch (const std::exception& error) {
    fail(error.what());
  }
  if (!part) fail("the answer has nothing at " + options_.select);
  return {*std::move(part), metadata, {}};
}

std::string Client::metadata_of(const Reply& reply) const {
  json metadata = json::object();
  const std::string etag = validator(reply.etag);
  const std::string last_modified = validator(reply.last_modified);
  if (!etag.empty()) metadata[kEtag] = etag;
  if (!last_modified.empty()) metadata[kLastModified] = last_modified;
  if (!metadata.empty()) metadata[kSource] = fingerprint_;
  return metadata.dump();
}

// A 304 may bring newer validators than those that it was asked with. Other members of the metadata
// stay.
NotModified Client::not_modified(const Reply& reply, const Round& round) const {
  const std::string etag = validator(reply.etag);
  const std::string last_modified = validator(reply.last_modified);
  const bool same = (etag.empty() || etag == round.etag) &&
                    (last_modified.empty() || last_modified == round.last_modified);
  if (same) return {};
  json metadata = json::parse(round.context.previous()->metadata, nullptr, false);
  if (!metadata.is_object()) return {};
  if (!etag.empty()) metadata[kEtag] = etag;
  if (!last_modified.empty()) metadata[kLastModified] = last_modified;
  return {metadata.dump()};
}

}  // namespace tiercache::http::detail
