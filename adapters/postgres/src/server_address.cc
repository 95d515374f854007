#include "server_address.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>
#include <vector>

#include "server_url.h"
#include "text.h"
#include "tiercache/error.h"

namespace tiercache::postgres {

namespace {

using Settings = std::map<std::string, std::string>;

std::string setting(const std::string& name, const std::string& value) {
  std::string text = name + "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

// With these the kernel notices within about half a minute that a connection has died silently.
const Settings& defaults() {
  static const Settings settings = {{"fallback_application_name", "tiercache"},
                                    {"keepalives_idle", "15"},
                                    {"keepalives_interval", "5"},
                                    {"keepalives_count", "3"},
                                    {"tcp_user_timeout", "30000"}};
  return settings;
}

// Cuts off a password that libpq takes for a part of the user, because both were escaped as one.
std::string without_password(const std::string& user) {
  return user.substr(0, user.find(':'));
}

// "one:5432", "[::1]:5432", "one:1,two:2": each host with its port, or with the one that is for
// all.
std::string hosts_of(const std::string& hosts, const std::string& ports) {
  const std::vector<std::string_view> host = split(hosts, ',');
  const std::vector<std::string_view> port = split(ports, ',');
  std::string text;
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (i > 0) text += ',';
    const std::string_view of = port.size() == 1 ? port.front() : i < port.size() ? port[i] : "";
    const bool brackets = host[i].find(':') != host[i].npos && !host[i].starts_with('/');
    text += host[i].empty() ? "the default host"
            : brackets      ? '[' + std::string(host[i]) + ']'
                            : std::string(host[i]);
    if (!of.empty()) text.append(1, ':').append(of);
  }
  return text;
}

std::string describe(const Settings& settings) {
  const auto part = [&](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  const std::string host = part("host").empty() ? part("hostaddr") : part("host");
  const std::string port = part("port");
  const std::string database = part("dbname");
  const std::string user = without_password(part("user"));
  if (host.empty() && port.empty() && database.empty() && user.empty()) {
    return "by libpq's environment";
  }
  return hosts_of(host, port) + (database.empty() ? "" : '/' + database) +
         (user.empty() ? "" : " as " + user);
}

}  // namespace

ServerAddress::ServerAddress(const Options& options) {
  ServerUrl url = read_url(options.url);
  Settings& settings = url.settings;
  if (url.behind_pooler && options.prepared) {
    throw BadConfiguration(
        "postgres.prepared: true, and the URL says pgbouncer=true: prepared statements do not work "
        "through a pooler in transaction mode");
  }
  description_ = describe(settings);
  remember_secrets(url.text, settings);

  options_ = settings["options"];
  settings.erase("options");
  settings["client_encoding"] = "UTF8";
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count();
  settings.emplace("connect_timeout", std::to_string(std::max<std::int64_t>(seconds, 2)));
  for (const auto& [name, value] : defaults()) settings.emplace(name, value);
  for (const auto& [name, value] : settings) settings_ += setting(name, value);
  session_options_ = "-c default_transaction_isolation=read\\ committed ";
  if (options.statement_timeout.count() > 0) {
    session_options_ +=
        "-c statement_timeout=" + std::to_string(options.statement_timeout.count()) +
        " -c client_connection_check_interval=1000 ";
  }
}

void ServerAddress::remember_secrets(const std::string& url, const Settings& settings) {
  const auto remember = [this](const std::string& secret) {
    if (!secret.empty()) secrets_.push_back(secret);
  };
  for (const char* name : {"password", "sslpassword"}) {
    if (const auto found = settings.find(name); found != settings.end()) remember(found->second);
  }
  if (const auto user = settings.find("user"); user != settings.end()) {
    const std::size_t colon = user->second.find(':');
    if (colon != std::string::npos) remember(user->second.substr(colon + 1));
  }
  if (!secrets_.empty()) remember(url);
  if (const char* from_environment = std::getenv("PGPASSWORD")) remember(from_environment);
  std::sort(secrets_.begin(), secrets_.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

std::string ServerAddress::connection_string(bool with_session_options) const {
  const std::string all = (with_session_options ? session_options_ : "") + options_;
  return all.empty() ? settings_ : settings_ + setting("options", all);
}

std::string ServerAddress::redacted(std::string text) const {
  for (const std::string& secret : secrets_) {
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  // What libpq says of several hosts has several indented lines, and may begin with a line break.
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (!blank) {
      line += c;
    } else if (!line.empty() && !line.ends_with(' ')) {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace tiercache::postgres
