// docs/configuration.md names every option there is, and no other.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "docs/quotes.h"

namespace tiercache::docs {
namespace {

using structure::SourceFile;

using FieldsByStruct = std::map<std::string, std::set<std::string>>;

// Reads the data members of the structs of a header: names at the end of a declaration, before a
// `;`, ` =` or `{`, one level deep.
FieldsByStruct fields_declared(const SourceFile& header) {
  static const std::regex begins(R"(^struct (\w+) \{$)");
  static const std::regex field(R"(^  [\w:][\w:<>,&*() ]*[\w>] (\w+)(?: =.*|\{.*|;.*)?$)");
  static const std::regex function(R"(^  (?:static|friend|constexpr|using|operator)\b.*)");
  FieldsByStruct fields;
  std::string name;
  for (const std::string& line : structure::without_comments_and_literals(header.lines)) {
    std::smatch found;
    if (std::regex_match(line, found, begins)) name = found[1];
    if (line == "};") name.clear();
    const std::string code = std::regex_replace(line, std::regex(R"(\s+$)"), "");
    if (name.empty() || std::regex_match(code, function)) continue;
    if (std::regex_match(code, found, field)) fields[name].insert(found[1]);
  }
  return fields;
}

// Reads the tables: a heading names the struct, and its namespace where that is not the library's
// own; the first cell of a row names the field.
FieldsByStruct fields_documented(const SourceFile& document) {
  static const std::regex heading(R"(^#+ .*`(\w+)`(?: of `tiercache::(\w+)`)?.*$)");
  static const std::regex row(R"(^\| `(\w+)` \|.*$)");
  FieldsByStruct fields;
  std::string name;
  for (const std::string& line : document.lines) {
    std::smatch found;
    if (line.starts_with("#")) name.clear();
    if (std::regex_match(line, found, heading)) {
      name = (found[2].matched ? found[2].str() + "::" : "") + found[1].str();
    }
    if (!name.empty() && std::regex_match(line, found, row)) fields[name].insert(found[1]);
  }
  return fields;
}

TEST(ConfigurationReader, finds_the_fields_of_a_struct_and_nothing_else) {
  const SourceFile header{
      "a.h",
      {"struct A {", "  int plain = 0;  // a comment", "  std::chrono::milliseconds ttl{20};",
       "  std::optional<Version> if_version =", "      {};",
       "  std::function<Answer<Value>(Context&)> refresh = {};",
       "  static constexpr A none() { return {}; }", "};", "int not_this = 1;"}};
  const std::set<std::string> expected = {"plain", "ttl", "if_version", "refresh"};
  EXPECT_EQ(fields_declared(header)["A"], expected);
}

TEST(Configuration, every_option_is_documented_and_every_documented_one_is_there) {
  FieldsByStruct declared = fields_declared(read_document("engine/include/tiercache/options.h"));
  declared["ThreadCounts"] =
      fields_declared(read_document("engine/include/tiercache/executor.h"))["ThreadCounts"];
  declared["Refreshed"] =
      fields_declared(read_document("engine/include/tiercache/refresh.h"))["Refreshed"];
  for (const std::string adapter : {"sqlite", "postgres"}) {
    const std::string header = "adapters/" + adapter + "/include/tiercache/" + adapter + ".h";
    declared[adapter + "::Options"] = fields_declared(read_document(header))["Options"];
  }
  const FieldsByStruct documented = fields_documented(read_document("docs/configuration.md"));
  EXPECT_GE(declared.size(), 14u) << "the reader has lost structs";
  EXPECT_EQ(documented, declared);
}

TEST(HttpSourceOptions, are_those_of_the_guide) {
  const auto declared = fields_declared(read_document("adapters/http/include/tiercache/http.h"));
  const auto documented = fields_documented(read_document("docs/http-sources.md"));
  EXPECT_GE(declared.at("Options").size(), 10u) << "the reader has lost fields";
  EXPECT_EQ(documented.at("Options"), declared.at("Options"));
}

}  // namespace
}  // namespace tiercache::docs
