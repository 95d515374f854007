#include "server_url.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "text.h"
#include "tiercache/error.h"

namespace tiercache::postgres {

namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ConnectionOptions = std::unique_ptr<PQconninfoOption, FreeOptions>;

[[noreturn]] void refuse(const std::string& why) {
  throw BadConfiguration("postgres.url (not shown here, as it may hold a password): " + why);
}

[[noreturn]] void refuse_special(const std::string& why) {
  refuse(
      why +
      ". Is there a password with special characters? In a URL '@' is written as %40, ':' as %3A, "
      "'/' as %2F, '?' as %3F, '%' as %25");
}

// Whether libpq knows the keyword, or accepts it for JDBC's sake.
bool is_known(std::string_view parameter) {
  static const std::set<std::string, std::less<>> known = [] {
    std::set<std::string, std::less<>> names = {"ssl"};
    const ConnectionOptions all(PQconndefaults());
    for (const PQconninfoOption* one = all.get(); one && one->keyword; ++one) {
      names.insert(one->keyword);
    }
    return names;
  }();
  // Escaped names are left for libpq to judge, and all names if its list cannot be had.
  return parameter.find('%') != parameter.npos || known.size() == 1 || known.contains(parameter);
}

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() <= 40 && name.find_first_not_of(kPlain) == name.npos;
}

bool is_whole_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// The parameters that libpq checks only when it connects, and what it then accepts.
struct Choice {
  std::string_view parameter;
  std::vector<std::string_view> allowed;  // empty: a whole number
};

const std::vector<Choice>& choices() {
  static const std::vector<Choice> all = {
      {"sslmode", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
      {"channel_binding", {"disable", "prefer", "require"}},
      {"gssencmode", {"disable", "prefer", "require"}},
      {"target_session_attrs",
       {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
      {"connect_timeout", {}},
      {"keepalives", {}},
      {"keepalives_idle", {}},
      {"keepalives_interval", {}},
      {"keepalives_count", {}},
      {"tcp_user_timeout", {}}};
  return all;
}

// The value is not shown, because it may be a part of a password.
[[noreturn]] void refuse_value(std::string_view parameter,
                               const std::vector<std::string_view>& allowed) {
  std::string text;
  for (const std::string_view one : allowed) text.append(text.empty() ? "" : ", ").append(one);
  refuse("the parameter " + std::string(parameter) + " has a value that is not allowed; it takes " +
         (allowed.empty() ? "a whole number" : text));
}

void check_choices(const std::map<std::string, std::string>& settings) {
  for (const Choice& choice : choices()) {
    const auto found = settings.find(std::string(choice.parameter));
    // To libpq an empty value is the same as none.
    if (found == settings.end() || found->second.empty()) continue;
    const bool right = choice.allowed.empty() ? is_whole_number(found->second)
                                              : std::ranges::find(choice.allowed, found->second) !=
                                                    choice.allowed.end();
    if (!right) refuse_value(choice.parameter, choice.allowed);
  }
}

// Reads the value of pgbouncer= as other clients do.
bool read_pgbouncer(std::string_view parameter) {
  const std::size_t equals = parameter.find('=');
  const std::string_view value =
      equals == parameter.npos ? std::string_view() : parameter.substr(equals + 1);
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  refuse_value("pgbouncer", {"true", "false", "1", "0"});
}

// Whether this is a name by which other clients choose a schema.
bool names_schema(std::string_view parameter) {
  return parameter == "schema" || parameter == "currentSchema" || parameter == "search_path";
}

// Returns what follows '?' without the parameter that says that a pooler is there.
std::string read_parameters(std::string_view query, std::string_view user, bool* behind_pooler) {
  std::string kept;
  std::string unknown;
  bool schema = false;
  for (const std::string_view one : split(query, '&')) {
    const std::string_view name = one.substr(0, one.find('='));
    if (name == "pgbouncer") {
      *behind_pooler = read_pgbouncer(one);
      continue;
    }
    if (one.find('=') != one.npos && !is_known(name)) {
      // It is not named, because it may be a part of a password.
      if (!is_plain_name(name) || query.find('@') != query.npos || user.find(name) != user.npos) {
        refuse_special("a parameter behind '?' is not known");
      }
      unknown.append(unknown.empty() ? "" : ", ").append(name);
      schema = schema || names_schema(name);
    }
    kept.append(kept.empty() ? "" : "&").append(one);
  }
  if (unknown.empty()) return kept;
  refuse("libpq knows no parameter " + unknown + ", leave it out" +
         (schema ? "; the tables are always in the schema tiercache" : ""));
}

// Finds the user as libpq does: up to the first '@', unless a '/' comes before it.
std::string read_form(std::string_view url, std::size_t scheme, bool* behind_pooler) {
  const std::string_view rest = url.substr(scheme);
  const std::size_t at = rest.find('@');
  const bool has_user = at != rest.npos && at < rest.find('/');
  const std::string_view place = has_user ? rest.substr(at + 1) : rest;
  const std::size_t question = place.find('?');
  if (place.substr(0, question).find('@') != place.npos) {
    refuse_special("there is one '@' too many");
  }
  if (question == place.npos) return std::string(url);
  const std::string_view query = place.substr(question + 1);
  const bool names_user =
      query.find("user=") != query.npos || query.find("password=") != query.npos;
  if (!has_user && !names_user && query.find('@') != query.npos) {
    refuse_special("there is an '@' behind the '?', and no user");
  }
  const std::string kept =
      read_parameters(query, has_user ? rest.substr(0, at) : "", behind_pooler);
  const std::string_view before = url.substr(0, url.size() - query.size() - 1);
  return std::string(before) + (kept.empty() ? "" : '?' + kept);
}

bool is_port(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 1 &&
         number <= 65'535;
}

constexpr std::array<std::string_view, 2> kSchemes = {"postgres://", "postgresql://"};

// Returns the text without the white space in which files and variables often end. It cannot belong
// to a URL, where it is written as %20 or %0A if it is meant; libpq would take it for the end of
// the database's name or of a password. Around keywords libpq itself ignores it.
std::string without_margins(const std::string& text) {
  constexpr std::string_view kMargin = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kMargin);
  if (begin == std::string::npos) refuse("it is blank");
  const std::string url = text.substr(begin, text.find_last_not_of(kMargin) - begin + 1);
  const bool is_url = std::ranges::any_of(
      kSchemes, [&](std::string_view scheme) { return url.starts_with(scheme); });
  return is_url ? url : text;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// Whether this can be a host: a name, an address in numbers, or a socket's path.
bool is_host(std::string_view host) {
  if (host.starts_with('/') || host.starts_with('@')) return true;
  if (host.find('@') != host.npos) return false;
  if (host.find(':') == host.npos) return true;
  const std::string_view address = host.substr(0, host.find('%'));
  return address.find_first_not_of("0123456789abcdefABCDEF:.") == address.npos;
}

void check_places(const std::map<std::string, std::string>& settings) {
  const auto each = [&](const char* name, auto is_right, const char* why) {
    const auto found = settings.find(name);
    if (found == settings.end()) return;
    for (const std::string_view one : split(found->second, ',')) {
      if (!one.empty() && !is_right(one)) refuse_special(why);
    }
  };
  each("port", is_port, "the port is not a number from 1 to 65535");
  each("host", is_host, "a host has an '@' or a ':' in it");
  each("hostaddr", is_host, "a host's address has an '@' in it");
  const auto database = settings.find("dbname");
  if (database == settings.end()) return;
  const std::string& name = database->second;
  if (name.find("://") != name.npos || name.find('=') != name.npos) {
    refuse("the database's name is a URL or a string of keywords itself");
  }
}

}  // namespace

// What libpq says of a URL that it cannot read may quote the password, so it is not passed on.
ServerUrl read_url(const std::string& text) {
  ServerUrl read;
  const std::string url = read.text = without_margins(text);
  std::string form = url;
  for (const std::string_view scheme : kSchemes) {
    if (!url.starts_with(scheme)) continue;
    if (has_control(url)) refuse("a line break or another control character is in it");
    form = read_form(url, scheme.size(), &read.behind_pooler);
  }
  char* error = nullptr;
  const ConnectionOptions parsed(PQconninfoParse(form.c_str(), &error));
  PQfreemem(error);
  if (!parsed) {
    refuse(
        "cannot be read; wanted is postgres://user:password@host:port/database, with special "
        "characters of a part as %XX");
  }
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option) {
    if (option->val) read.settings[option->keyword] = option->val;
  }
  check_places(read.settings);
  check_choices(read.settings);
  return read;
}

}  // namespace tiercache::postgres
