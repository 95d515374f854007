#include "refresh_service/environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>

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
  if (!is_name(text)) reader.fault("PROJECT_ID", '"' + text.substr(0, 60) + '"', kNameForm);
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Without its quotes, or up to a comment; nullopt where quotes do not close.
std::optional<std::string> unquoted(std::string_view value) {
  if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
    const auto end = value.find(value.front(), 1);
    if (end == value.npos) return std::nullopt;
    const auto rest = trimmed(value.substr(end + 1));
    if (!rest.empty() && rest.front() != '#') return std::nullopt;
    return std::string(value.substr(1, end - 1));
  }
  return std::string(trimmed(value.substr(0, value.find(" #"))));
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

void read_line(std::string_view line, std::size_t number, Variables& variables) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return;
  if (line.starts_with("export ")) line = trimmed(line.substr(7));
  const auto equals = line.find('=');
  const auto name = trimmed(line.substr(0, equals));
  const auto value =
      equals == line.npos ? std::nullopt : unquoted(trimmed(line.substr(equals + 1)));
  if (!value || !is_variable_name(name)) {
    throw BadConfig("line " + std::to_string(number) + " is not NAME=value");
  }
  variables[std::string(name)] = *value;
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

Variables parse_env_file(std::string_view text) {
  Variables variables;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    read_line(text.substr(0, end), number, variables);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return variables;
}

Variables read_env_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw BadConfig(file.string() + " cannot be read");
  try {
    return parse_env_file(text);
  } catch (const BadConfig& error) {
    throw BadConfig(file.string() + ": " + error.what());
  }
}

void add_to_process(const Variables& variables) {
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 0);
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
  if (store) {
    config.store = *store;
  } else if (environment.store_enabled && !environment.database_url.empty()) {
    config.store = {StoreChoice::Kind::postgres, environment.database_url};
  } else if (environment.store_enabled) {
    config.store = {};
    config.store_off_why = "SUPABASE_ENABLED is true, but DATABASE_URL is not set";
  }
}

}  // namespace refresh_service
