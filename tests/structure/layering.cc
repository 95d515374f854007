#include "structure/layering.h"

#include <algorithm>
#include <optional>
#include <regex>

namespace tiercache::structure {

namespace {

// The rooms that a room may know, besides itself. Acyclic: each names rooms of rows above it alone.
const std::map<std::string, std::set<std::string>>& rooms() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"base", {}},
      {"system", {"base"}},
      {"json", {"base"}},
      {"memory", {"base"}},
      {"files", {"base", "json"}},
      {"journal", {"base", "json"}},
      {"refresh", {"base", "json"}},
      {"cache", {"base", "system", "json", "memory", "files", "journal", "refresh"}},
  };
  return table;
}

// Headers from outside that a part may include, by their beginnings. The standard library is free
// to all. Adapters bring their own dependencies and have no row.
const std::map<std::string, std::vector<std::string>>& foreign_headers() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"engine/include/tiercache/json.h", {"nlohmann/"}},
      {"engine/include/tiercache/asio.h", {"boost/asio/"}},
      {"engine/include/tiercache/options.h", {"spdlog/fwd.h"}},
      {"engine/testing/include/tiercache/testing/store_conformance", {"gtest/", "nlohmann/"}},
      {"engine/testing/src/faulty_proxy.cc",
       {"arpa/inet.h", "fcntl.h", "netinet/in.h", "poll.h", "sys/socket.h", "sys/un.h",
        "unistd.h"}},
      {"engine/src/base/", {"spdlog/", "xxhash.h"}},
      {"engine/src/system/",
       {"boost/filesystem", "sys/", "linux/", "fcntl.h", "pthread.h", "signal.h", "time.h",
        "unistd.h"}},
      {"engine/src/json/", {"simdjson.h"}},
      {"engine/src/refresh/", {"simdjson.h"}},
      {"engine/src/cache/", {"spdlog/"}},
  };
  return table;
}

// The C++ library's headers have neither a directory nor an ending.
bool is_standard(const std::string& header) {
  return header.find_first_of("/.") == std::string::npos;
}

bool may_include_foreign(const std::string& path, const std::string& header) {
  if (is_standard(header) || part_of(path).starts_with("adapter:")) return true;
  for (const auto& [place, beginnings] : foreign_headers()) {
    if (!path.starts_with(place)) continue;
    for (const auto& beginning : beginnings) {
      if (header.starts_with(beginning)) return true;
    }
  }
  return false;
}

bool may_include(const std::string& part, const std::string& other) {
  if (part == other || other == "public") return true;
  if (!part.starts_with("room:") || !other.starts_with("room:")) return false;
  const auto room = rooms().find(part.substr(5));
  return room != rooms().end() && room->second.contains(other.substr(5));
}

std::optional<std::string> included_header(const std::string& line) {
  static const std::regex include(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"])re");
  std::smatch found;
  if (!std::regex_search(line, found, include)) return std::nullopt;
  return found[1].str();
}

std::string what_is_wrong(const SourceFile& file, const std::string& header, const Owners& owners) {
  const std::string part = part_of(file.path);
  // Beside the including file: an adapter's own private headers.
  const auto slash = file.path.rfind('/');
  if (owners.contains(file.path.substr(0, slash + 1) + header)) return {};
  if (const auto owner = owners.find(header); owner != owners.end()) {
    if (may_include(part, owner->second)) return {};
    return part + " may not include " + header + " of " + owner->second;
  }
  if (may_include_foreign(file.path, header)) return {};
  return part + " may not include the foreign header " + header;
}

}  // namespace

std::string part_of(const std::string& path) {
  static const std::regex place(
      R"(^(engine/include|engine/testing|engine/src/(\w+)|adapters/(\w+))/)");
  std::smatch found;
  if (!std::regex_search(path, found, place)) return {};
  if (found[2].matched) return "room:" + found[2].str();
  if (found[3].matched) return "adapter:" + found[3].str();
  return found[1] == "engine/include" ? "public" : "testing";
}

Owners read_owners() {
  static const std::regex include_directory(R"(^(engine/src|[\w/]+/include)/(.*)$)");
  Owners owners;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h"})) {
      owners[file.path] = part_of(file.path);
      std::smatch found;
      if (std::regex_match(file.path, found, include_directory)) {
        owners[found[2].str()] = part_of(file.path);
      }
    }
  }
  return owners;
}

std::vector<Finding> check_includes(const SourceFile& file, const Owners& owners) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto header = included_header(file.lines[i]);
    if (!header) continue;
    const std::string wrong = what_is_wrong(file, *header, owners);
    if (!wrong.empty()) findings.push_back({file.path, static_cast<int>(i) + 1, wrong});
  }
  return findings;
}

}  // namespace tiercache::structure
