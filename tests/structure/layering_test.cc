#include "structure/layering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace tiercache::structure {
namespace {

const Owners kOwners = {
    {"tiercache/store.h", "public"},
    {"tiercache/testing/manual_clock.h", "testing"},
    {"tiercache/sqlite.h", "adapter:sqlite"},
    {"tiercache/postgres.h", "adapter:postgres"},
    {"adapters/sqlite/src/statement.h", "adapter:sqlite"},
    {"base/mutex.h", "room:base"},
    {"json/document.h", "room:json"},
    {"files/index/index.h", "room:files_index"},
    {"memory/memory_tier.h", "room:memory"},
    {"journal/journal.h", "room:journal"},
    {"outbox/outbox_drain.h", "room:outbox"},
    {"refresh/scheduler.h", "room:refresh"},
    {"cache/core.h", "room:cache"},
    {"cache/runtime/runtime.h", "room:cache_runtime"},
    {"cache/local/local_tiers.h", "room:cache_local"},
    {"cache/writing/write_path.h", "room:cache_writing"},
    {"cache/reading/read_op.h", "room:cache_reading"},
};

bool allowed(const std::string& path, const std::string& header) {
  return check_includes({path, {"#include " + header}}, kOwners).empty();
}

TEST(Layering, edges_of_the_design_are_allowed) {
  EXPECT_TRUE(allowed("engine/include/tiercache/cache.h", "\"tiercache/store.h\""));
  EXPECT_TRUE(allowed("engine/include/tiercache/cache.h", "<vector>"));
  EXPECT_TRUE(allowed("engine/include/tiercache/json.h", "<nlohmann/json.hpp>"));
  EXPECT_TRUE(allowed("engine/include/tiercache/options.h", "<spdlog/fwd.h>"));
  EXPECT_TRUE(allowed("engine/src/files/entry_files.cc", "\"json/document.h\""));
  EXPECT_TRUE(allowed("engine/src/files/entry_files.cc", "\"files/index/index.h\""));
  EXPECT_TRUE(allowed("engine/src/refresh/scheduler.cc", "\"base/mutex.h\""));
  EXPECT_TRUE(allowed("engine/src/cache/core.cc", "\"refresh/scheduler.h\""));
  EXPECT_TRUE(allowed("engine/src/outbox/outbox_drain.cc", "\"journal/journal.h\""));
  EXPECT_TRUE(allowed("engine/src/cache/writing/store_writer.h", "\"outbox/outbox_drain.h\""));
  EXPECT_TRUE(allowed("engine/src/system/posix.cc", "<sys/stat.h>"));
  EXPECT_TRUE(
      allowed("engine/testing/src/manual_clock.cc", "\"tiercache/testing/manual_clock.h\""));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "<sqlite3.h>"));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "\"statement.h\""));
  EXPECT_TRUE(allowed("adapters/sqlite/src/store.cc", "\"tiercache/sqlite.h\""));
}

TEST(Layering, every_other_edge_is_refused) {
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "<nlohmann/json.hpp>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "<spdlog/fwd.h>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/options.h", "<spdlog/spdlog.h>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/await.h", "<boost/asio/post.hpp>"));
  EXPECT_FALSE(allowed("engine/include/tiercache/cache.h", "\"tiercache/testing/manual_clock.h\""));
  EXPECT_FALSE(allowed("engine/src/base/log.cc", "\"json/document.h\""));
  EXPECT_FALSE(allowed("engine/src/memory/tier.cc", "\"json/document.h\""));
  EXPECT_FALSE(allowed("engine/src/refresh/scheduler.cc", "\"files/index/index.h\""));
  EXPECT_FALSE(allowed("engine/src/files/entry_files.cc", "\"cache/core.h\""));
  EXPECT_FALSE(allowed("engine/src/journal/journal.cc", "\"outbox/outbox_drain.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/local/giving_up.cc", "\"outbox/outbox_drain.h\""));
  EXPECT_FALSE(allowed("engine/src/files/entry_files.cc", "\"memory/memory_tier.h\""));
  EXPECT_FALSE(allowed("engine/src/files/index/index.cc", "<unistd.h>"));
  EXPECT_FALSE(allowed("engine/src/files/index/index.cc", "\"json/document.h\""));
  EXPECT_FALSE(allowed("engine/src/journal/live/live_index.cc", "\"journal/journal.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/core.cc", "\"tiercache/sqlite.h\""));
  EXPECT_FALSE(allowed("engine/src/newroom/new.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("engine/testing/src/manual_clock.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("adapters/sqlite/src/store.cc", "\"base/mutex.h\""));
  EXPECT_FALSE(allowed("adapters/sqlite/src/store.cc", "\"tiercache/postgres.h\""));
}

TEST(Layering, rooms_of_an_open_cache_know_those_above_them_alone) {
  EXPECT_TRUE(allowed("engine/src/cache/local/recovered_writes.cc", "\"cache/runtime/runtime.h\""));
  EXPECT_TRUE(allowed("engine/src/cache/writing/change.h", "\"cache/local/local_tiers.h\""));
  EXPECT_TRUE(allowed("engine/src/cache/core.h", "\"cache/reading/read_op.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/local/recovered_writes.cc", "\"cache/core.h\""));
  EXPECT_FALSE(
      allowed("engine/src/cache/local/recovered_writes.cc", "\"cache/writing/write_path.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/writing/change.h", "\"cache/reading/read_op.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/runtime/runtime.h", "\"cache/local/local_tiers.h\""));
  EXPECT_FALSE(allowed("engine/src/cache/newroom/new.cc", "\"cache/runtime/runtime.h\""));
}

TEST(Layering, edge_by_forward_declaration_is_refused) {
  const ClassOwners owners = {{"Core", {"room:cache"}}, {"Runtime", {"room:cache_runtime"}}};
  const auto found = [&](const std::string& path, const std::string& line) {
    return check_forward_declarations({path, {line}}, owners).size();
  };
  EXPECT_EQ(found("engine/src/cache/local/recovered_writes.h", "class Core;"), 1u);
  EXPECT_EQ(found("engine/src/cache/local/recovered_writes.h", "  struct Core;"), 0u)
      << "one of its own";
  EXPECT_EQ(found("engine/src/cache/local/recovered_writes.h", "struct Runtime;"), 0u);
  EXPECT_EQ(found("engine/src/cache/local/recovered_writes.h", "class Unknown;"), 0u);
  EXPECT_EQ(found("engine/src/cache/public_api.cc", "class Core;"), 0u);
}

TEST(Layering, what_is_known_of_a_key_is_asked_of_the_local_tiers_alone) {
  const auto found = [](const std::string& path, const std::string& line) {
    return check_calls({path, {line}}).size();
  };
  const std::string erased = "  if (journal.erased_below(id)) return;";
  EXPECT_EQ(found("engine/src/cache/reading/read_op.cc", erased), 1u);
  EXPECT_EQ(found("engine/src/cache/local/taking.cc", erased), 0u);
  EXPECT_EQ(found("engine/src/cache/upkeep/scrub.cc", "local_.index().find(id)"), 1u);
  EXPECT_EQ(found("engine/src/cache/upkeep/scrub.cc", "local_.files().index().put(id, x)"), 1u);
  EXPECT_EQ(found("engine/src/cache/upkeep/scrub.cc", "local_.index().for_each(name, f)"), 0u);
  EXPECT_EQ(found("engine/src/cache/upkeep/scrub.cc", "// as erased_below(id) says"), 0u);
}

TEST(Layering, tier_is_changed_by_the_rooms_alone_that_may) {
  const auto found = [](const std::string& room, const std::string& call) {
    return check_calls({"engine/src/cache/" + room + "/a.cc", {"  local_." + call}}).size();
  };
  EXPECT_EQ(found("upkeep", "memory().remove(ref, version);"), 1u);
  EXPECT_EQ(found("local", "memory().remove(ref, version);"), 0u);
  EXPECT_EQ(found("upkeep", "memory().peek(ref);"), 0u);
  EXPECT_EQ(found("writing", "memory().promote(ref, x);"), 1u);
  EXPECT_EQ(found("reading", "memory().promote(ref, x);"), 0u);
  EXPECT_EQ(found("writing", "files().remove(id, version);"), 1u);
  EXPECT_EQ(found("writing", "files().read(id);"), 0u);
  EXPECT_EQ(found("reading", "files().replace(id, version, row);"), 1u);
  EXPECT_EQ(found("upkeep", "files().replace(id, version, row);"), 0u);
  EXPECT_EQ(found("reading", "journal().file_written(id, version, clocks);"), 1u);
  EXPECT_EQ(found("writing", "journal().file_written(id, version, clocks);"), 0u);
  EXPECT_EQ(found("local", "journal().append(record, done);"), 1u);
  EXPECT_EQ(found("writing", "journal().append(record, done);"), 0u);
  EXPECT_EQ(found("writing", "journal().adopt(recovered);"), 1u);
  EXPECT_EQ(found("upkeep", "journal().adopt(recovered);"), 0u);
}

TEST(Layering, circle_of_sources_is_found) {
  const SourceFile a{"engine/src/x/a.h", {"#include \"x/b.h\""}};
  const SourceFile b{"engine/src/x/b.h", {"#include <vector>"}};
  EXPECT_TRUE(check_circles({a, b}).empty());
  const SourceFile b_too{"engine/src/x/b.cc", {"#include \"x/b.h\"", "#include \"x/a.h\""}};
  const auto found = check_circles({a, b, b_too});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.front().what, "is in a circle: x/a -> x/b -> x/a");
}

// Three small rooms have one class in front, whose header also has the types that the parts behind
// it take and return.
std::vector<SourceFile> files_without_facades() {
  std::vector<SourceFile> files = read_files("engine/src", {".h", ".cc"});
  std::erase_if(files, [](const SourceFile& file) {
    const std::string part = part_of(file.path);
    return part == "room:files" || part == "room:json" || part == "room:memory";
  });
  return files;
}

TEST(Layering, tree_has_no_hidden_edges_and_no_circles) {
  const ClassOwners owners = read_class_owners();
  EXPECT_TRUE(owners.contains("LocalTiers"));
  const std::vector<SourceFile> files = read_files("engine/src", {".h", ".cc"});
  std::vector<Finding> findings = check_circles(files_without_facades());
  for (const SourceFile& file : files) {
    for (const auto& some : {check_forward_declarations(file, owners), check_calls(file)}) {
      findings.insert(findings.end(), some.begin(), some.end());
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

TEST(Layering, room_fits_in_a_head) {
  for (const auto& [part, lines] : lines_by_part(read_files("engine/src", {".h", ".cc"}))) {
    EXPECT_LT(lines, 2'000u) << part;
  }
}

TEST(Layering, room_may_include_those_before_it_alone) {
  std::set<std::string> before;
  for (const Room& room : rooms()) {
    for (const std::string& other : room.may_include) {
      EXPECT_TRUE(before.contains(other)) << room.name << " may include " << other;
    }
    before.insert(room.name);
  }
}

// "`cache/local`" of "cache_local", as the page writes it.
std::string shown(std::string room) {
  std::ranges::replace(room, '_', '/');
  return "`" + room + "`";
}

std::vector<std::string> rows_of_rooms() {
  std::vector<std::string> rows;
  for (const Room& room : rooms()) {
    std::string row = "| " + shown(room.name) + " | ";
    for (const std::string& other : room.may_include) {
      row += (&other == &room.may_include.front() ? "" : ", ") + shown(other);
    }
    rows.push_back(row + (room.may_include.empty() ? "|" : " |"));
  }
  return rows;
}

TEST(Layering, architecture_prints_the_rooms_that_each_may_include) {
  const std::string head = "| room | may include |";
  const auto lines = read_lines(source_directory() / "docs/architecture.md");
  auto line = std::ranges::find(lines, head);
  ASSERT_NE(line, lines.end()) << "there is no table with the head " << head;
  std::vector<std::string> printed;
  std::advance(line, 2);
  for (; line != lines.end() && line->starts_with("|"); ++line) printed.push_back(*line);
  std::string wanted;
  for (const std::string& row : rows_of_rooms()) wanted += row + "\n";
  EXPECT_EQ(printed, rows_of_rooms()) << "the page should have\n" << wanted;
}

TEST(Layering, includes_of_the_tree_follow_the_design) {
  const Owners owners = read_owners();
  std::vector<Finding> findings;
  std::size_t files = 0;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h", ".cc"})) {
      if (part_of(file.path).empty()) {
        findings.push_back({file.path, 0, "is in no part of the tree that has rules"});
      }
      const auto some = check_includes(file, owners);
      findings.insert(findings.end(), some.begin(), some.end());
      ++files;
    }
  }
  EXPECT_GT(files, 50u);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
