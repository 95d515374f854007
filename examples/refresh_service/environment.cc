#include "refresh_service/environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "refresh_service/forms.h"

namespace refresh_service {

namespace {

constexpr std::array kNames = {"SUPABASE_ENABLED", "DATABASE_URL",      "CACHE_TTL_SECONDS",
                               "PROJECT_ID",       "EMERGENCY_REFRESH", "BACKGROUND_RETRY",
                               "GRACEFUL_SHUTDOWN"};
constexpr long kMostSeconds = 365L * 24 * 3600;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::optional<bool> parse_flag(const std::string& text) {
  const std::string word = lower(text);
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

// Reads variables one by one and keeps what is wrong with them.
class Reader {
 public:
  explicit Reader(const Variables& variables) : variables_(variables) {}

  // Empty: not given.
  std::string text(const std::string& name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? "" : found->second;
  }
  void fault(const std::string& name, const std::string& shown, const std::string& allowed) {
    faults_ += "\n  " + name + " = " + shown + ": must be " + allowed;
  }
  void read_flag(const std::string& name, bool& value) {
    const std::string given = text(name);
    if (given.empty()) return;
    if (const auto flag = parse_flag(given)) {
      value = *flag;
    } else {
      fault(name, '"' + given + '"', "true or false (or 1, 0, yes, no, on, off)");
    }
  }
  void throw_if_faulty() const {
    if (!faults_.empty()) throw BadConfig("the environment cannot work:" + faults_);
  }

 private:
  const Variables& variables_;
  std::string faults_;
};

void read_ttl(Reader& reader, Environment& environment) {
  const std::string text = reader.text("CACHE_TTL_SECONDS");
  if (text.empty()) return;
  long seconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && seconds >= 0 && seconds <= kMostSeconds) {
    environment.memory_ttl = std::chrono::seconds(seconds);
  } else {
    reader.fault("CACHE_TTL_SECONDS", '"' + text + '"',
                 "a whole number from 0 to " + std::to_string(kMostSeconds));
  }
}

void read_database(Reader& reader, Environment& environment) {
  environment.database_url = reader.text("DATABASE_URL");
  if (environment.database_url.empty()) return;
  const auto store = parse_store(environment.database_url);
  if (!store || store->kind != StoreChoice::Kind::postgres) {
    reader.fault("DATABASE_URL", "(not shown)", "postgres://user:password@host:port/database");
  }
}

void read_project(Reader& reader, Environment& environment) {
  const std::string text = reader.text("PROJECT_ID");
  if (text.empty()) return;
  environment.project = text;
  if (!forms::is_name(text)) {
    reader.fault("PROJECT_ID", '"' + text.substr(0, 60) + '"', forms::kName.allowed);
  }
}

void choose_store(const Environment& environment, const std::optional<StoreChoice>& store,
                  Config& config) {
  if (store) {
    config.store = *store;
  } else if (environment.store_enabled && !environment.database_url.empty()) {
    config.store = {StoreChoice::Kind::postgres, environment.database_url};
  } else if (environment.store_enabled) {
    config.store = {};
    config.store_off_why = "SUPABASE_ENABLED is true, but DATABASE_URL is not set";
  }
}

}  // namespace

Environment parse_environment(const Variables& variables) {
  Reader reader(variables);
  Environment environment;
  reader.read_flag("SUPABASE_ENABLED", environment.store_enabled);
  read_database(reader, environment);
  read_ttl(reader, environment);
  read_project(reader, environment);
  reader.read_flag("EMERGENCY_REFRESH", environment.flags.emergency_refresh);
  reader.read_flag("BACKGROUND_RETRY", environment.flags.background_retry);
  reader.read_flag("GRACEFUL_SHUTDOWN", environment.flags.graceful_shutdown);
  reader.throw_if_faulty();
  return environment;
}

Variables process_variables() {
  Variables variables;
  for (const char* name : kNames) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  return variables;
}

void apply(const Environment& environment, const std::optional<StoreChoice>& store,
           Config& config) {
  if (environment.project) config.project = *environment.project;
  if (environment.memory_ttl) config.memory.ttl = *environment.memory_ttl;
  config.flags = environment.flags;
  choose_store(environment, store, config);
}

}  // namespace refresh_service
