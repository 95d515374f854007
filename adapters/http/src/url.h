// URLs: what may be asked, where a key stands in a URL, and what of it may be shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::http {

// Scheme, host and port in their normal form. Credentials are meant for one origin only.
struct Origin {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address in brackets
  std::string port;

  friend bool operator==(const Origin&, const Origin&) = default;

  bool is_plain() const { return scheme == "http"; }
  // True for this machine, by its name or by an address that needs no look-up.
  bool is_loopback() const;
  // "https://api.example.com", with the port if it is not the scheme's own.
  std::string to_string() const;
};

// A URL without user info and fragment, and its origin.
struct Target {
  std::string url;
  Origin origin;
};

// Nullopt if the text is not an http or https URL.
std::optional<Target> parse_target(const std::string& url);

// The text without user info, query values and fragment. Takes any text, even one that is no URL.
std::string shown_url(std::string_view url);

// A URL in which {key} stands for a key. A key cannot leave its place (I12): all of its bytes
// except letters, digits and "-._~" are percent-encoded. It has no URL if a segment of the path
// would be "." or ".." even then, for a server that decodes before it resolves.
class UrlTemplate {
 public:
  // Throws std::invalid_argument, which says what is wrong but does not show the URL.
  explicit UrlTemplate(std::string_view text);

  bool has_key() const { return pieces_.size() > 1; }
  // Nullopt if the key cannot have a URL. Without {key} in the template the key is not looked at.
  std::optional<std::string> expand(std::string_view key) const;

  const Origin& origin() const { return origin_; }
  // The template as `shown_url` shows it.
  const std::string& shown() const { return shown_; }
  bool has_user_info() const { return !user_.empty() || !password_.empty(); }
  // User and password, decoded.
  const std::string& user() const { return user_; }
  const std::string& password() const { return password_; }

 private:
  void read_user_info(std::string_view text);

  Origin origin_;
  std::string shown_;
  std::string user_;
  std::string password_;
  std::string prefix_;               // the origin as it stands in a URL
  std::vector<std::string> pieces_;  // path and query, cut at each {key}
};

std::string lower_case(std::string text);  // changes ASCII letters only
std::string percent_encoded(std::string_view text);

}  // namespace tiercache::http
