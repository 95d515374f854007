// URLs: what may be asked, where a key stands in it, and what of it may be shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::http {

// Scheme, host and port, normalised. Credentials are for one origin alone.
struct Origin {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address in brackets
  std::string port;

  friend bool operator==(const Origin&, const Origin&) = default;

  bool is_plain() const { return scheme == "http"; }
  // This machine, by its name or an address that needs no look-up.
  bool is_loopback() const;
  // "https://api.example.com", with the port where it is not the scheme's own.
  std::string to_string() const;
};

// A URL without user info and fragment, and its origin.
struct Target {
  std::string url;
  Origin origin;
};

// Nullopt when it is no http or https URL.
std::optional<Target> parse_target(const std::string& url);

// Without user info, query values and fragment. For any text, also for what is no URL.
std::string shown_url(std::string_view url);

// A URL in which {key} stands for a key. A key cannot leave its place (I12): in it all bytes but
// letters, digits and "-._~" are percent-encoded, and where that would still make "." or ".." of a
// segment of the path, for a server that decodes before it resolves, it has no URL.
class UrlTemplate {
 public:
  // Throws std::invalid_argument, whose text says what is wrong and does not show the URL.
  explicit UrlTemplate(std::string_view text);

  bool has_key() const { return pieces_.size() > 1; }
  // Nullopt when the key can have none. The key is not looked at where there is no {key}.
  std::optional<std::string> expand(std::string_view key) const;

  const Origin& origin() const { return origin_; }
  // As `shown_url`.
  const std::string& shown() const { return shown_; }
  bool has_user_info() const { return !user_.empty() || !password_.empty(); }
  // Decoded.
  const std::string& user() const { return user_; }
  const std::string& password() const { return password_; }

 private:
  void read_user_info(std::string_view text);

  Origin origin_;
  std::string shown_;
  std::string user_;
  std::string password_;
  std::string prefix_;               // origin as in a URL
  std::vector<std::string> pieces_;  // path and query, cut at each {key}
};

std::string lower_case(std::string text);  // of ASCII
std::string percent_encoded(std::string_view text);

}  // namespace tiercache::http
