#include "refresh_service/sources.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tiercache/entry.h"
#include "tiercache/error.h"
#ifdef TIERCACHE_WITH_HTTP
#include "tiercache/http.h"
#endif

namespace refresh_service {

using nlohmann::json;
using tiercache::RefreshContext;
using Answer = tiercache::RefreshAnswer<std::string>;

namespace {

// --- A folder ---

// A key is a file's name, never a path.
bool is_file_name(const std::string& key) {
  return !key.empty() && key.front() != '.' && key.find('/') == std::string::npos &&
         key.find('\0') == std::string::npos;
}

Answer read_folder(const FolderSource& source, const RefreshContext& context) {
  const std::string& name = context.key().empty() ? context.dataset() : context.key();
  const std::filesystem::path file = source.path / (name + ".json");
  if (!std::filesystem::is_directory(source.path)) {
    throw std::runtime_error("the folder " + source.path.string() + " is not there");
  }
  if (!is_file_name(name) || !std::filesystem::exists(file)) return tiercache::NotFound{};
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw std::runtime_error(file.string() + " cannot be read");
  const auto& previous = context.previous();
  if (previous && previous->checksum == tiercache::Checksum::of(text)) {
    return tiercache::NotModified{};
  }
  return text;
}

// --- An HTTP API ---

#ifdef TIERCACHE_WITH_HTTP

std::string token_of(const std::string& variable) {
  const char* token = std::getenv(variable.c_str());
  if (!token) throw std::runtime_error("the environment has no " + variable);
  return token;
}

tiercache::http::Source ask_http(const HttpSource& source) {
  tiercache::http::Options options{
      .url = source.url, .select = source.select, .ca_file = source.ca_file};
  if (!source.bearer_env.empty()) {
    options.bearer = [variable = source.bearer_env] { return token_of(variable); };
  }
  return tiercache::http::source(std::move(options));
}

#else

Source ask_http(const HttpSource&) {
  throw tiercache::BadConfiguration(
      "this service was built without tiercache::http: install libcurl, and build it again");
}

#endif

// --- Checks ---

bool is_empty(const json& document) {
  return document.empty() ||
         (document.is_string() && document.get_ref<const std::string&>().empty());
}

void require_members(const json& object, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!object.is_object() || !object.contains(name)) {
      throw std::runtime_error("the member \"" + name + "\" is missing");
    }
  }
}

void check(const json& document, const Checks& checks) {
  if (checks.not_empty && is_empty(document)) throw std::runtime_error("the document is empty");
  const std::size_t items = document.is_structured() ? document.size() : 0;
  if (items < checks.min_items) {
    throw std::runtime_error("the document has " + std::to_string(items) +
                             (items == 1 ? " item" : " items") + ", fewer than " +
                             std::to_string(checks.min_items));
  }
  if (!document.is_array()) return require_members(document, checks.required);
  for (const json& item : document) require_members(item, checks.required);
}

}  // namespace

std::string percent_encoded(const std::string& text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return encoded;
}

std::string fault_of(const HttpSource& source) {
  try {
    ask_http(source);
    return {};
  } catch (const tiercache::BadConfiguration& error) {
    return error.what();
  }
}

Source make_source(const DatasetConfig& dataset) {
  if (const auto* folder = std::get_if<FolderSource>(&dataset.source)) {
    return
        [source = *folder](const RefreshContext& context) { return read_folder(source, context); };
  }
  if (const auto* http = std::get_if<HttpSource>(&dataset.source)) {
    return ask_http(*http);
  }
  return {};
}

std::function<bool(const std::string&)> make_validate(const Checks& checks) {
  if (!checks.not_empty && checks.required.empty() && checks.min_items == 0) return {};
  return [checks](const std::string& document) {
    check(json::parse(document), checks);
    return true;
  };
}

}  // namespace refresh_service
