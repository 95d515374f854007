#include "refresh_service/sources.h"

#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tiercache/clock.h"
#include "tiercache/entry.h"

namespace refresh_service {

using nlohmann::json;
using std::chrono::milliseconds;
using tiercache::RefreshContext;
using Answer = tiercache::RefreshAnswer<std::string>;

namespace {

// --- A folder ----------------------------------------------------------------

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

// --- An HTTP upstream --------------------------------------------------------

std::string target_for(const HttpSource& source, const std::string& key) {
  constexpr std::string_view kPlace = "{key}";
  std::string target = source.target;
  for (auto at = target.find(kPlace); at != std::string::npos; at = target.find(kPlace, at)) {
    const std::string encoded = percent_encoded(key);
    target.replace(at, kPlace.size(), encoded);
    at += encoded.size();
  }
  return target;
}

// What may be asked conditionally is: the upstream then need not send the document again.
httplib::Headers conditions(const RefreshContext& context) {
  httplib::Headers headers;
  if (!context.previous()) return headers;
  const std::string etag = context.previous_metadata("etag");
  const std::string last_modified = context.previous_metadata("last_modified");
  if (!etag.empty()) headers.emplace("If-None-Match", etag);
  if (!last_modified.empty()) headers.emplace("If-Modified-Since", last_modified);
  return headers;
}

std::string metadata_of(const httplib::Response& response) {
  json metadata = json::object();
  if (response.has_header("ETag")) metadata["etag"] = response.get_header_value("ETag");
  if (response.has_header("Last-Modified")) {
    metadata["last_modified"] = response.get_header_value("Last-Modified");
  }
  return metadata.dump();
}

// Retry-After in seconds; its other form, a date, counts as none.
std::optional<std::chrono::seconds> retry_after(const httplib::Response& response) {
  const std::string text = response.get_header_value("Retry-After");
  long seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

Answer answer_of(const httplib::Response& response, const std::string& what) {
  switch (response.status) {
    case 200:
      return tiercache::Refreshed<std::string>{response.body, metadata_of(response), {}};
    case 304:
      return tiercache::NotModified{};
    case 404:
    case 410:
      return tiercache::NotFound{};
    default:
      break;
  }
  const std::string why = what + " answered " + std::to_string(response.status);
  const bool may_say_when = response.status == 429 || response.status == 503;
  if (const auto delay = retry_after(response); may_say_when && delay) {
    throw tiercache::RetryAfter(*delay, why);
  }
  throw std::runtime_error(why);
}

Answer read_http(const HttpSource& source, const RefreshContext& context) {
  const auto left = std::chrono::duration_cast<milliseconds>(
      context.hard_deadline() - tiercache::system_clock()->steady_now());
  const auto timeout = std::clamp(left, milliseconds(1), milliseconds(30'000));
  httplib::Client client(source.origin);
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  client.set_url_encode(false);
  const std::string target = target_for(source, context.key());
  const std::string what = "GET " + source.origin + target;
  const auto response = client.Get(target, conditions(context));
  if (!response) throw std::runtime_error(what + ": " + httplib::to_string(response.error()));
  return answer_of(*response, what);
}

// --- Checks ------------------------------------------------------------------

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
    throw std::runtime_error("the document has " + std::to_string(items) + " items, fewer than " +
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

Source make_source(const DatasetConfig& dataset) {
  if (const auto* folder = std::get_if<FolderSource>(&dataset.source)) {
    return
        [source = *folder](const RefreshContext& context) { return read_folder(source, context); };
  }
  if (const auto* http = std::get_if<HttpSource>(&dataset.source)) {
    return [source = *http](const RefreshContext& context) { return read_http(source, context); };
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
