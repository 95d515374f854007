#include "refresh_service/env_file.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

#include "refresh_service/bad_config.h"
#include "refresh_service/text_file.h"

namespace refresh_service {

namespace {

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
  const auto text = read_text_file(file);
  if (!text) throw BadConfig(file.string() + " cannot be read");
  try {
    return parse_env_file(*text);
  } catch (const BadConfig& error) {
    throw BadConfig(file.string() + ": " + error.what());
  }
}

void add_to_process(const Variables& variables) {
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 0);
}

}  // namespace refresh_service
