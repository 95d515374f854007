#include "refresh_service/forms.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <regex>

#include "refresh_service/units.h"

namespace refresh_service::forms {

using nlohmann::json;

namespace {

constexpr std::int64_t kLargestCount = 1'000'000'000;
constexpr std::size_t kLeastMemory = std::size_t{1} << 20;
constexpr std::size_t kMostMemory = std::size_t{1} << 40;

std::optional<std::string> text(const json& value) {
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

std::optional<std::string> some_text(const json& value) {
  const auto taken = text(value);
  return taken && !taken->empty() ? taken : std::nullopt;
}

std::optional<bool> flag(const json& value) {
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

// A whole number from 0 to `most`.
template <class T>
std::optional<T> whole_number(const json& value, std::int64_t most) {
  if (!value.is_number_integer() || value < 0 || value > most) return std::nullopt;
  return value.get<T>();
}

std::optional<int> port(const json& value) {
  return whole_number<int>(value, 65'535);
}

std::optional<std::size_t> count(const json& value) {
  return whole_number<std::size_t>(value, kLargestCount);
}

std::optional<std::chrono::milliseconds> duration(const json& value) {
  const auto taken = text(value);
  return taken ? parse_duration(*taken) : std::nullopt;
}

std::optional<std::size_t> memory_size(const json& value) {
  const auto taken = text(value);
  const auto size = taken ? parse_size(*taken) : std::nullopt;
  return size && *size >= kLeastMemory && *size <= kMostMemory ? size : std::nullopt;
}

std::optional<std::string> name(const json& value) {
  const auto taken = text(value);
  return taken && is_name(*taken) ? taken : std::nullopt;
}

std::optional<std::filesystem::path> path(const json& value) {
  return some_text(value);
}

std::optional<std::filesystem::path> folder(const json& value) {
  const auto taken = text(value);
  if (!taken || !std::filesystem::is_directory(*taken)) return std::nullopt;
  return *taken;
}

std::optional<std::vector<std::string>> member_names(const json& value) {
  const auto is_text = [](const json& item) { return item.is_string(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_text)) return std::nullopt;
  return value.get<std::vector<std::string>>();
}

std::optional<tiercache::Hydrate> hydrate(const json& value) {
  if (value == "all") return tiercache::Hydrate::all();
  const auto most_recent = count(value);
  if (!most_recent) return std::nullopt;
  return tiercache::Hydrate::recent(*most_recent);
}

std::optional<StoreChoice> file_store(const json& value) {
  const auto taken = text(value);
  const auto store = taken ? parse_store(*taken) : std::nullopt;
  return store && store->kind != StoreChoice::Kind::postgres ? store : std::nullopt;
}

std::optional<json> datasets(const json& value) {
  return value.is_array() && !value.empty() ? std::optional(value) : std::nullopt;
}

}  // namespace

const Form<bool> kFlag = {"true or false", flag};
const Form<std::chrono::milliseconds> kDuration = {
    R"(a duration from "0" to "365d", such as "250ms" or "6h")", duration};
const Form<std::size_t> kMemorySize = {R"(a size from "1MiB" to "1024GiB", such as "64MiB")",
                                       memory_size};
const Form<std::size_t> kCount = {"a whole number from 0 to 1000000000", count};
const Form<std::string> kName = {"1 to 100 of A-Z a-z 0-9 . _ -, not beginning with '.'", name};
const Form<std::string> kAddress = {"an IP address or host name of this machine", some_text};
const Form<int> kPort = {"a whole number from 0 (any free port) to 65535", port};
const Form<std::filesystem::path> kLocalDirectory = {"the path of a local directory", path};
const Form<std::filesystem::path> kFolder = {"the path of a directory", folder};
const Form<std::string> kUrl = {"a URL", some_text};
const Form<std::string> kJsonPointer = {"a JSON pointer", some_text};
const Form<std::string> kVariableName = {"the name of an environment variable", some_text};
const Form<std::string> kPemFile = {"the path of a PEM file", some_text};
const Form<std::vector<std::string>> kMemberNames = {"a list of member names", member_names};
const Form<tiercache::Hydrate> kHydrate = {R"("all" or a whole number from 0 to 1000000000)",
                                           hydrate};
const Form<StoreChoice> kFileStore = {R"("sqlite:PATH" or "none"; for Postgres see --store)",
                                      file_store};

const Form<json> kDatasets = {"a list of at least one dataset", datasets};

bool is_name(const std::string& text) {
  static const std::regex kPattern("[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}");
  return std::regex_match(text, kPattern);
}

}  // namespace refresh_service::forms
