#include "server_address.h"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

#include "tiercache/error.h"

namespace tiercache::postgres {

namespace {

using Settings = std::map<std::string, std::string>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// What libpq says of a URL that it cannot read may quote the password, so it is not passed on.
Settings parse(const std::string& url) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(url.c_str(), &error));
  PQfreemem(error);
  if (!parsed) {
    throw BadConfiguration(
        "postgres.url: cannot be read (it is not shown here, as it may hold a password); wanted is "
        "postgres://user:password@host:port/database, with special characters of a part as %XX");
  }
  Settings settings;
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option) {
    if (option->val) settings[option->keyword] = option->val;
  }
  return settings;
}

std::string setting(const std::string& name, const std::string& value) {
  std::string text = name + "='";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "' ";
}

// Connections that died without a word are noticed by the kernel in about half a minute.
const Settings& defaults() {
  static const Settings settings = {{"fallback_application_name", "tiercache"},
                                    {"keepalives_idle", "15"},
                                    {"keepalives_interval", "5"},
                                    {"keepalives_count", "3"},
                                    {"tcp_user_timeout", "30000"}};
  return settings;
}

std::string describe(const Settings& settings) {
  const auto part = [&](const char* name, const std::string& before) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : before + found->second;
  };
  std::string where = part("host", "");
  if (where.empty()) where = part("hostaddr", "");
  where += part("port", ":") + part("dbname", "/") + part("user", " as ");
  return where.empty() ? "by libpq's environment" : where;
}

}  // namespace

ServerAddress::ServerAddress(const Options& options) {
  Settings settings = parse(options.url);
  description_ = describe(settings);
  for (const char* secret : {"password", "sslpassword"}) {
    if (const auto found = settings.find(secret); found != settings.end()) {
      secrets_.push_back(found->second);
    }
  }
  if (!secrets_.empty()) secrets_.push_back(options.url);
  std::erase(secrets_, std::string());
  std::sort(secrets_.begin(), secrets_.end(),
            [](const std::string& a, const std::string& b) { return a.size() > b.size(); });

  options_ = settings["options"];
  settings.erase("options");
  settings["client_encoding"] = "UTF8";
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count();
  settings.emplace("connect_timeout", std::to_string(std::max<std::int64_t>(seconds, 2)));
  for (const auto& [name, value] : defaults()) settings.emplace(name, value);
  for (const auto& [name, value] : settings) settings_ += setting(name, value);
  if (options.statement_timeout.count() > 0) {
    session_options_ = "-c statement_timeout=" + std::to_string(options.statement_timeout.count()) +
                       " -c client_connection_check_interval=1000 ";
  }
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
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace tiercache::postgres
