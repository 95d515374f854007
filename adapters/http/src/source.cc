#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "client.h"
#include "tiercache/error.h"
#include "tiercache/file_system.h"
#include "tiercache/http.h"

namespace tiercache::http {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLongestTimeout = std::chrono::hours(24);
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr int kMostRedirects = 20;

// Headers that the adapter sets itself, or that would make libcurl misread the answer.
constexpr std::array<std::string_view, 9> kOwnHeaders = {
    "accept-encoding",   "connection",    "content-length",      "host",
    "if-modified-since", "if-none-match", "proxy-authorization", "range",
    "transfer-encoding"};

bool is_header_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_header_value(const std::string& value) {
  return std::none_of(value.begin(), value.end(),
                      [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

// Collects faults, one per line: the field, its value, and what is allowed.
class Faults {
 public:
  void add(const std::string& field, const std::string& what) {
    text_ += (text_.empty() ? "http." : "\nhttp.") + field + ": " + what;
  }
  template <class Number>
  void check_range(const std::string& field, Number value, Number least, Number most,
                   const std::string& unit = "") {
    if (value >= least && value <= most) return;
    add(field, std::to_string(value) + unit + ", allowed are " + std::to_string(least) + " to " +
                   std::to_string(most) + unit);
  }
  void throw_if_any() const {
    if (!text_.empty()) throw BadConfiguration(text_);
  }

 private:
  std::string text_;
};

void check_url(const Options& options, Faults& faults) {
  const std::string shown = '"' + shown_url(options.url) + '"';
  try {
    const UrlTemplate url(options.url);
    const Origin& origin = url.origin();
    if (origin.is_plain() && !origin.is_loopback() && !options.allow_plain_http) {
      faults.add("url", shown + " is http to another machine: use https, or set allow_plain_http");
    }
    if (url.has_user_info() && options.bearer) {
      faults.add("url", shown + " has user info, and there is `bearer`: one of them");
    }
  } catch (const std::invalid_argument& error) {
    faults.add("url", shown + ": " + error.what());
  }
}

void check_headers(const Options& options, Faults& faults) {
  for (std::size_t i = 0; i < options.headers.size(); ++i) {
    const Header& header = options.headers[i];
    const std::string field = "headers[" + std::to_string(i) + "]";
    const std::string name = lower_case(header.name);
    if (!is_header_name(header.name)) {
      faults.add(field + ".name",
                 std::string("\"").append(header.name, 0, 60) + "\" is no header's name");
    } else if (std::find(kOwnHeaders.begin(), kOwnHeaders.end(), name) != kOwnHeaders.end()) {
      faults.add(field + ".name", header.name + " is not for you to set");
    } else if (name == "authorization" && options.bearer) {
      faults.add(field + ".name", header.name + ", and there is `bearer`: one of them");
    }
    if (!is_header_value(header.value)) {
      faults.add(field + ".value", "of " + header.name.substr(0, 60) + " holds control characters");
    }
  }
}

void check_select(const Options& options, Faults& faults) {
  try {
    const JsonPointer pointer(options.select);
  } catch (const std::invalid_argument& error) {
    faults.add("select", '"' + options.select.substr(0, 60) + "\": " + error.what());
  }
}

bool is_proxy(const std::string& text) {
  if (text.find('\0') != std::string::npos) return false;
  for (const char* scheme : {"http://", "https://", "socks5://", "socks5h://"}) {
    if (text.starts_with(scheme)) return true;
  }
  return text.empty() || text == "none";
}

void check(const Options& options) {
  Faults faults;
  check_url(options, faults);
  check_headers(options, faults);
  check_select(options, faults);
  const auto longest = kLongestTimeout.count();
  faults.check_range("connect_timeout", options.connect_timeout.count(), milliseconds::rep{1},
                     longest, " ms");
  faults.check_range("timeout", options.timeout.count(), milliseconds::rep{1}, longest, " ms");
  faults.check_range("max_bytes", options.max_bytes, std::size_t{1}, kMostBytes);
  faults.check_range("max_redirects", options.max_redirects, 0, kMostRedirects);
  if (options.ca_file.find('\0') != std::string::npos) faults.add("ca_file", "holds a NUL byte");
  if (!is_proxy(options.proxy)) {
    faults.add("proxy", '"' + shown_url(options.proxy) +
                            "\", allowed are \"\", \"none\", and URLs of http, https, socks5, "
                            "socks5h");
  }
  if (!options.clock) faults.add("clock", "null");
  faults.throw_if_any();
}

}  // namespace

namespace detail {

void throw_undecodable(const std::string& document, const std::string& why) {
  if (!nlohmann::json::accept(document)) throw std::runtime_error("the answer is not valid JSON");
  throw std::runtime_error("the answer is not what the dataset's type decodes: " + why);
}

}  // namespace detail

Answer Source::operator()(RefreshContext& context) const {
  return Answer(client_->fetch(context));
}

Source source(Options options) {
  check(options);
  // The file is read for each new connection, when the process may have another working directory.
  if (!options.ca_file.empty()) {
    const IoStatus status = posix_file_system()->absolute(options.ca_file, &options.ca_file);
    if (!status.ok()) throw BadConfiguration("http.ca_file: " + status.what);
  }
  return Source(std::make_shared<const detail::Client>(std::move(options)));
}

}  // namespace tiercache::http
