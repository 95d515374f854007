#include "url.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <stdexcept>

namespace tiercache::http {

namespace {

constexpr std::string_view kPlace = "{key}";
constexpr std::size_t kLongestUrl = 8 << 10;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, FreeUrl>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

int hex_value(char c) {
  if (c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// True if the path has "." or ".." as a segment for a server that decodes it first.
bool has_dot_segment(std::string_view path) {
  const std::string decoded = percent_decoded(path);
  std::size_t begin = 0;
  while (begin <= decoded.size()) {
    const std::size_t end = std::min(decoded.find_first_of("/\\", begin), decoded.size());
    const auto segment = std::string_view(decoded).substr(begin, end - begin);
    if (segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

std::string_view path_of(std::string_view path_and_query) {
  return path_and_query.substr(0, path_and_query.find('?'));
}

// The parts of a text that looks like a URL.
struct Parts {
  std::string_view scheme;     // with "://"
  std::string_view user_info;  // without "@"
  std::string_view host;       // with the port
  std::string_view rest;
};

Parts split(std::string_view text) {
  Parts parts;
  if (const auto at = text.find("://"); at != text.npos) {
    parts.scheme = text.substr(0, at + 3);
    text.remove_prefix(at + 3);
  }
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  parts.host = text.substr(0, end);
  parts.rest = text.substr(end);
  if (const auto at = parts.host.rfind('@'); at != text.npos) {
    parts.user_info = parts.host.substr(0, at);
    parts.host.remove_prefix(at + 1);
  }
  return parts;
}

// "a=…&b=…". A part without a name is taken for a value.
std::string shown_query(std::string_view query) {
  std::string shown;
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const auto part = query.substr(0, end);
    const auto equals = part.find('=');
    if (equals != part.npos) shown += part.substr(0, equals + 1);
    if (!part.empty()) shown += "…";
    if (end == query.size()) return shown;
    shown += '&';
    query.remove_prefix(end + 1);
  }
}

bool may_stand_in_url(char c) {
  return c > ' ' && c < '\x7f' && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
}

void check_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with(kPlace)) {
      i += kPlace.size() - 1;
      continue;
    }
    const bool escape = i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (!may_stand_in_url(text[i]) || (text[i] == '%' && !escape)) {
      throw std::invalid_argument("the byte at offset " + std::to_string(i) +
                                  " cannot stand in a URL: percent-encode it; {key} is the only "
                                  "placeholder");
    }
  }
}

// False if there is a port that is not a valid one.
bool has_good_port(std::string_view host_and_port) {
  const std::size_t colon = host_and_port.rfind(':');
  const std::size_t bracket = host_and_port.rfind(']');
  if (colon == host_and_port.npos || (bracket != host_and_port.npos && bracket > colon))
    return true;
  const std::string_view port = host_and_port.substr(colon + 1);
  if (port.empty()) return true;  // the scheme's own
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool whole = error == std::errc() && end == port.data() + port.size();
  return whole && number >= 1 && number <= 65'535;
}

// True if the host may be the beginning of user info that an unescaped "/" has cut off:
// "https://user:a/b@host/" has the host "user:a".
bool may_be_cut_password(const Parts& parts) {
  return !has_good_port(parts.host) && parts.rest.find('@') != parts.rest.npos;
}

}  // namespace

// --- Origins and targets ---

bool Origin::is_loopback() const {
  if (host == "localhost" || host == "[::1]") return true;
  // Only four numbers count: "127.evil.example" is a name.
  return host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string Origin::to_string() const {
  const bool usual = port == (is_plain() ? "80" : "443");
  return scheme + "://" + host + (usual ? "" : ":" + port);
}

std::optional<Target> parse_target(const std::string& text) {
  const CurlUrl url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  Target target;
  target.origin = {lower_case(part_of(url.get(), CURLUPART_SCHEME)),
                   lower_case(part_of(url.get(), CURLUPART_HOST)),
                   part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  const bool known = target.origin.scheme == "http" || target.origin.scheme == "https";
  if (!known || target.origin.host.empty()) return {};
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT}) {
    curl_url_set(url.get(), part, nullptr, 0);
  }
  target.url = part_of(url.get(), CURLUPART_URL);
  return target;
}

std::string shown_url(std::string_view text) {
  Parts parts = split(text.substr(0, kLongestUrl));
  if (may_be_cut_password(parts)) return std::string(parts.scheme) + "…";
  parts.rest = parts.rest.substr(0, parts.rest.find('#'));
  std::string shown = std::string(parts.scheme) + std::string(parts.host);
  shown += path_of(parts.rest);
  const auto query = parts.rest.find('?');
  if (query != parts.rest.npos) shown += '?' + shown_query(parts.rest.substr(query + 1));
  return shown;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return encoded;
}

// --- Templates ---

UrlTemplate::UrlTemplate(std::string_view text) : shown_(shown_url(text)) {
  if (text.size() > kLongestUrl) throw std::invalid_argument("longer than 8 KiB");
  check_characters(text);
  const Parts parts = split(text);
  const std::string_view before_path = text.substr(0, text.size() - parts.rest.size());
  if (before_path.find('{') != text.npos) {
    throw std::invalid_argument("{key} may stand in the path and the query alone");
  }
  if (parts.rest.find('#') != text.npos) throw std::invalid_argument("a fragment is never sent");
  if (may_be_cut_password(parts)) {
    throw std::invalid_argument(
        "its port is not a number; is there a password with special characters? In a URL '/' is "
        "written as %2F, '?' as %3F, '#' as %23");
  }
  if (!has_good_port(parts.host)) {
    throw std::invalid_argument("its port is not a number from 1 to 65535");
  }
  const auto target = parse_target(std::string(parts.scheme) + std::string(parts.host) + "/");
  if (parts.scheme.empty() || !target) {
    throw std::invalid_argument("an https:// URL (or http://) with a host is needed");
  }
  if (has_dot_segment(path_of(parts.rest))) {
    throw std::invalid_argument("its path must not have the segments \".\" and \"..\"");
  }
  read_user_info(parts.user_info);
  origin_ = target->origin;
  prefix_ = origin_.to_string();
  if (!parts.rest.starts_with('/')) prefix_ += '/';
  std::string_view rest = parts.rest;
  for (auto at = rest.find(kPlace); at != rest.npos; at = rest.find(kPlace)) {
    pieces_.emplace_back(rest.substr(0, at));
    rest.remove_prefix(at + kPlace.size());
  }
  pieces_.emplace_back(rest);
}

void UrlTemplate::read_user_info(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  user_ = percent_decoded(text.substr(0, colon));
  password_ = percent_decoded(text.substr(std::min(colon + 1, text.size())));
}

std::optional<std::string> UrlTemplate::expand(std::string_view key) const {
  const std::string encoded = percent_encoded(key);
  std::string rest = pieces_.front();
  for (std::size_t i = 1; i < pieces_.size(); ++i) rest += encoded + pieces_[i];
  if (has_dot_segment(path_of(rest))) return std::nullopt;
  return prefix_ + rest;
}

}  // namespace tiercache::http
