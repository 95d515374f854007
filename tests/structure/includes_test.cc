// Public headers include the standard headers whose names they use, so that a program does not stop
// compiling when another header, or another standard library, includes less.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {
namespace {

using Names = std::map<std::string, std::string>;  // of std, each with its header

const Names& standard_names() {
  static const Names names = [] {
    const std::map<std::string, std::vector<std::string>> by_header = {
        {"algorithm",
         {"any_of", "all_of", "clamp", "count", "equal", "find", "find_if", "max", "min", "reverse",
          "shuffle", "sort", "unique"}},
        {"array", {"array"}},
        {"atomic", {"atomic"}},
        {"chrono", {"chrono"}},
        {"cmath", {"isfinite", "isnan"}},
        {"compare", {"strong_ordering"}},
        {"concepts", {"constructible_from", "convertible_to", "integral", "invocable", "same_as"}},
        {"condition_variable", {"condition_variable"}},
        {"coroutine", {"coroutine_handle"}},
        {"cstddef", {"byte", "nullptr_t", "ptrdiff_t", "size_t"}},
        {"cstdint", {"int32_t", "int64_t", "uint16_t", "uint32_t", "uint64_t", "uint8_t"}},
        {"deque", {"deque"}},
        {"exception",
         {"current_exception", "exception", "exception_ptr", "make_exception_ptr",
          "rethrow_exception"}},
        {"filesystem", {"filesystem"}},
        {"functional", {"function", "hash", "less", "ref"}},
        {"initializer_list", {"initializer_list"}},
        {"limits", {"numeric_limits"}},
        {"map", {"map", "multimap"}},
        {"memory",
         {"enable_shared_from_this", "make_shared", "make_unique", "shared_ptr",
          "static_pointer_cast", "unique_ptr", "weak_ptr"}},
        {"mutex", {"lock_guard", "mutex", "unique_lock"}},
        {"new", {"bad_alloc"}},
        {"optional", {"make_optional", "nullopt", "optional"}},
        {"random", {"mt19937", "mt19937_64", "random_device"}},
        {"set", {"set"}},
        {"span", {"span"}},
        {"stdexcept", {"invalid_argument", "logic_error", "out_of_range", "runtime_error"}},
        {"string", {"stoi", "stol", "string", "to_string"}},
        {"string_view", {"string_view"}},
        {"thread", {"thread"}},
        {"tuple", {"make_tuple", "tie", "tuple"}},
        {"type_traits",
         {"conditional_t", "decay_t", "enable_if_t", "invoke_result_t", "is_base_of_v",
          "is_constructible_v", "is_convertible_v", "is_invocable_v", "is_same_v",
          "remove_cvref_t"}},
        {"typeindex", {"type_index"}},
        {"utility",
         {"as_const", "declval", "exchange", "forward", "make_pair", "move", "pair", "swap"}},
        {"variant", {"get_if", "holds_alternative", "monostate", "variant", "visit"}},
        {"vector", {"vector"}}};
    Names all;
    for (const auto& [header, of_it] : by_header) {
      for (const std::string& name : of_it) all[name] = header;
    }
    return all;
  }();
  return names;
}

std::set<std::string> included(const SourceFile& file) {
  static const std::regex include("^#include <([a-z_]+)>");
  std::set<std::string> headers;
  std::smatch match;
  for (const std::string& line : file.lines) {
    if (std::regex_search(line, match, include)) headers.insert(match[1]);
  }
  return headers;
}

// The first place of each header that is used and not included.
std::vector<Finding> not_included(const SourceFile& file) {
  static const std::regex name("\\bstd::([a-z_0-9]+)");
  std::set<std::string> there = included(file);
  std::vector<Finding> findings;
  const std::vector<std::string> code = without_comments_and_literals(file.lines);
  for (std::size_t i = 0; i < code.size(); ++i) {
    for (std::sregex_iterator at(code[i].begin(), code[i].end(), name), end; at != end; ++at) {
      const auto found = standard_names().find((*at)[1]);
      if (found == standard_names().end() || !there.insert(found->second).second) continue;
      findings.push_back({file.path, static_cast<int>(i) + 1,
                          "uses std::" + found->first + " without <" + found->second + ">"});
    }
  }
  return findings;
}

TEST(PublicHeaders, missing_includes_are_found) {
  const SourceFile file{"a.h",
                        {"#include <string>", "// std::vector", "std::string a;", "std::size_t b;",
                         "std::size_t c; std::pair<int, int> d;", "auto e = \"std::map\";"}};
  const std::vector<Finding> findings = not_included(file);
  ASSERT_EQ(findings.size(), 2u) << to_string(findings);
  EXPECT_EQ(findings[0].line, 4);
  EXPECT_EQ(findings[1].what, "uses std::pair without <utility>");
}

TEST(PublicHeaders, include_the_standard_headers_that_they_use) {
  std::vector<Finding> findings;
  for (const char* directory : {"engine", "adapters"}) {
    for (const SourceFile& file : read_files(directory, {".h"})) {
      if (file.path.find("/include/") == std::string::npos) continue;
      const auto some = not_included(file);
      findings.insert(findings.end(), some.begin(), some.end());
    }
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
