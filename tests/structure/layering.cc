#include "structure/layering.h"

#include <algorithm>
#include <optional>
#include <regex>

namespace tiercache::structure {

const std::vector<Room>& rooms() {
  static const std::vector<Room> table = {
      {"base", {}},
      {"system", {"base"}},
      {"json", {"base"}},
      {"memory", {"base"}},
      {"files_directory", {"base"}},
      {"files_index", {"base"}},
      {"files", {"base", "json", "files_directory", "files_index"}},
      {"journal_format", {"base"}},
      {"journal_live", {"base", "journal_format"}},
      {"journal_segments", {"base", "journal_format", "journal_live"}},
      {"journal", {"base", "journal_format", "journal_live", "journal_segments"}},
      {"outbox", {"base", "journal_live", "journal"}},
      {"refresh", {"base"}},
      {"cache_runtime", {"base", "system", "json"}},
      {"cache_store", {"base", "json", "cache_runtime"}},
      {"cache_local",
       {"base", "system", "json", "memory", "files_directory", "files", "journal_format", "journal",
        "cache_runtime"}},
      {"cache_writing",
       {"base", "memory", "files", "journal_format", "journal", "outbox", "cache_runtime",
        "cache_store", "cache_local"}},
      {"cache_refreshing",
       {"base", "json", "memory", "refresh", "cache_runtime", "cache_local", "cache_writing"}},
      {"cache_upkeep",
       {"base", "memory", "files_index", "files", "journal", "cache_runtime", "cache_store",
        "cache_local", "cache_writing"}},
      {"cache_reading",
       {"base", "memory", "files", "refresh", "cache_runtime", "cache_store", "cache_local",
        "cache_refreshing"}},
      {"cache",
       {"base", "system", "json", "memory", "files", "journal", "refresh", "cache_runtime",
        "cache_store", "cache_local", "cache_writing", "cache_refreshing", "cache_upkeep",
        "cache_reading"}},
  };
  return table;
}

namespace {

// Headers from outside that a part may include, by their beginnings. The standard library is free
// to all. Adapters bring their own dependencies and have no row.
const std::map<std::string, std::vector<std::string>>& foreign_headers() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"engine/include/tiercache/json.h", {"nlohmann/"}},
      {"engine/include/tiercache/detail/lost_in_json.h", {"nlohmann/"}},
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
  const auto room = std::ranges::find(rooms(), part.substr(5), &Room::name);
  if (room == rooms().end()) return false;
  return std::ranges::find(room->may_include, other.substr(5)) != room->may_include.end();
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
      R"(^(engine/include|engine/testing|engine/src/(\w+)(?:/(\w+)(?=/))?|adapters/(\w+))/)");
  std::smatch found;
  if (!std::regex_search(path, found, place)) return {};
  if (found[2].matched) {
    // A room in a room: engine/src/cache/local is "cache_local".
    return "room:" + found[2].str() + (found[3].matched ? "_" + found[3].str() : "");
  }
  if (found[4].matched) return "adapter:" + found[4].str();
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

// --- What an include does not show ---

namespace {

std::optional<std::string> class_named(const std::string& line, const std::regex& form) {
  std::smatch found;
  if (!std::regex_search(line, found, form)) return std::nullopt;
  return found[1].str();
}

}  // namespace

ClassOwners read_class_owners() {
  static const std::regex defined(R"(^(?:class|struct) (\w+)(?: final)?(?: :.*)? \{)");
  ClassOwners owners;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h"})) {
      for (const std::string& line : file.lines) {
        if (const auto name = class_named(line, defined)) owners[*name].insert(part_of(file.path));
      }
    }
  }
  return owners;
}

std::vector<Finding> check_forward_declarations(const SourceFile& file, const ClassOwners& owners) {
  static const std::regex declared(R"(^(?:class|struct) (\w+);)");
  std::vector<Finding> findings;
  const std::string part = part_of(file.path);
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto name = class_named(file.lines[i], declared);
    if (!name || !owners.contains(*name)) continue;
    const auto& parts = owners.at(*name);
    const bool allowed = std::ranges::any_of(
        parts, [&](const std::string& other) { return may_include(part, other); });
    if (allowed) continue;
    findings.push_back({file.path, static_cast<int>(i) + 1,
                        part + " may not name " + *name + " of " + *parts.begin()});
  }
  return findings;
}

std::vector<Finding> check_calls(const SourceFile& file) {
  struct Reserved {
    std::regex call;
    std::vector<std::string> parts;  // that may make it
    std::string instead;
  };
  static const std::vector<Reserved> list = {
      {std::regex(R"(\berased_below\()"),
       {"room:journal", "room:journal_live", "room:cache_local"},
       "LocalTiers::known or hides"},
      {std::regex(R"(\bindex\(\)\.(find|put|remove)\()"),
       {"room:files", "room:files_index", "room:cache_local"},
       "LocalTiers"},
      {std::regex(R"(\bmemory\(\)\.(put|remove|remove_matching|unpin)\()"),
       {"room:cache_local"},
       "LocalTiers"},
      {std::regex(R"(\bmemory\(\)\.(promote|renew)\()"),
       {"room:cache_local", "room:cache_reading"},
       "LocalTiers::take"},
      {std::regex(R"(\bfiles\(\)\.(write|rewrite|remove)\()"), {"room:cache_local"}, "LocalTiers"},
      {std::regex(R"(\bfiles\(\)\.(write_synced|replace)\()"),
       {"room:cache_local", "room:cache_upkeep"},
       "LocalTiers"},
      {std::regex(R"(\bjournal\(\)\.(cover_file_write|file_written|files_\w+)\()"),
       {"room:cache_local", "room:cache_writing"},
       "LocalTiers"},
      {std::regex(R"(\bjournal\(\)\.append\()"),
       {"room:cache_writing"},
       "WritePath or StoreWriter"},
      {std::regex(R"(\bjournal\(\)\.(adopt|restore|come_back)\()"),
       {"room:cache_upkeep"},
       "OrphanAdoption or DirectoryKeeper"},
  };
  std::vector<Finding> findings;
  const std::string part = part_of(file.path);
  if (!part.starts_with("room:")) return findings;
  const auto code = without_comments_and_literals(file.lines);
  for (std::size_t i = 0; i < code.size(); ++i) {
    for (const Reserved& reserved : list) {
      if (std::ranges::find(reserved.parts, part) != reserved.parts.end()) continue;
      if (!std::regex_search(code[i], reserved.call)) continue;
      findings.push_back({file.path, static_cast<int>(i) + 1,
                          part + " may not do that itself: " + reserved.instead});
    }
  }
  return findings;
}

// --- Circles ---

namespace {

// "cache/local/recovered_writes" of cache/local/recovered_writes.cc, of its header, and of
// replay_impl.h.
std::string unit_of(const std::string& header) {
  const std::string name = header.substr(0, header.rfind('.'));
  return name.ends_with("_impl") ? name.substr(0, name.rfind("_impl")) : name;
}

using Units = std::map<std::string, std::set<std::string>>;

// Finds a way from `unit` back to `start`; `*way` ends with it.
bool leads_back(const Units& units, const std::string& start, const std::string& unit,
                std::set<std::string>* seen, std::vector<std::string>* way) {
  const auto found = units.find(unit);
  if (found == units.end()) return false;
  for (const std::string& next : found->second) {
    if (next == start) {
      way->push_back(unit);
      return true;
    }
    if (!seen->insert(next).second) continue;
    if (leads_back(units, start, next, seen, way)) {
      way->push_back(unit);
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Finding> check_circles(const std::vector<SourceFile>& files) {
  Units units;
  for (const SourceFile& file : files) {
    const std::string unit = unit_of(file.path.substr(std::string("engine/src/").size()));
    for (const std::string& line : file.lines) {
      const auto header = included_header(line);
      if (header && unit_of(*header) != unit) units[unit].insert(unit_of(*header));
    }
  }
  std::vector<Finding> findings;
  for (const auto& [unit, others] : units) {
    std::set<std::string> seen;
    std::vector<std::string> way;
    if (!leads_back(units, unit, unit, &seen, &way)) continue;
    std::string what = unit;
    for (auto step = way.rbegin(); step != way.rend(); ++step) {
      if (*step != unit) what += " -> " + *step;
    }
    findings.push_back({"engine/src/" + unit, 0, "is in a circle: " + what + " -> " + unit});
  }
  return findings;
}

std::map<std::string, std::size_t> lines_by_part(const std::vector<SourceFile>& files) {
  std::map<std::string, std::size_t> lines;
  for (const SourceFile& file : files) lines[part_of(file.path)] += file.lines.size();
  return lines;
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
