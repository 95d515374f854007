#include "structure/invariants.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <iterator>

namespace tiercache::structure {
namespace {

std::vector<SourceFile> test_sources() {
  auto files = read_files("tests", {".cc", ".h"});
  std::erase_if(files, [](const SourceFile& f) { return f.path.starts_with("tests/structure/"); });
  auto conformance = read_files("engine/testing/include", {".h"});
  std::move(conformance.begin(), conformance.end(), std::back_inserter(files));
  return files;
}

TEST(Invariants, are_read_from_the_names_of_tests) {
  const auto tests = tests_by_invariant(
      {{"a_test.cc",
        {"TEST(Store, older_write_loses_I3) {", "TEST_F(Files,", "       both_I2_and_I9) {",
         "TEST(Other, none_I) {", "TEST(Other, word_I3x) {", "TEST(Other, twelve_I12) {"}}});
  const TestsByInvariant expected = {{2, {"Files.both_I2_and_I9"}},
                                     {3, {"Store.older_write_loses_I3"}},
                                     {9, {"Files.both_I2_and_I9"}},
                                     {12, {"Other.twelve_I12"}}};
  EXPECT_EQ(tests, expected);
}

TEST(Invariants, claims_are_read_from_the_table) {
  SourceFile readme{"README.md", {"| # | What | State |", "|---|---|---|"}};
  for (int number = 1; number <= kInvariants; ++number) {
    readme.lines.push_back("| I" + std::to_string(number) + " | … | " +
                           (number % 2 == 0 ? "stands |" : "not yet: issue 7 |"));
  }
  const Claims claims = read_claims(readme);
  EXPECT_TRUE(claims.findings.empty()) << to_string(claims.findings);
  EXPECT_TRUE(claims.stands.at(2));
  EXPECT_FALSE(claims.stands.at(3));
  readme.lines.pop_back();
  EXPECT_EQ(read_claims(readme).findings.size(), 1u);
  readme.lines.push_back("| I" + std::to_string(kInvariants) + " | … | maybe |");
  EXPECT_EQ(read_claims(readme).findings.size(), 1u);
  EXPECT_EQ(read_claims({"README.md", {"no table"}}).findings.size(),
            static_cast<std::size_t>(kInvariants));
}

TEST(Invariants, proofs_are_read_from_the_links_of_the_last_cell) {
  const auto proofs = read_proofs(
      {"docs/reliability.md",
       {"| # | What | Proved by |", "|---|---|---|",
        "| I2 | … ([bound](../no.md)) | [a](../tests/a_test.cc), [run](../tests/run.cc) |",
        "| a row | of another table | [b](../tests/b_test.cc) |"}});
  const ProofsByInvariant expected = {{2, {"tests/a_test.cc", "tests/run.cc"}}};
  EXPECT_EQ(proofs, expected);
}

TEST(Invariants, a_proof_names_its_invariant_or_is_a_program) {
  const std::vector<SourceFile> files = {{"named.cc", {"TEST(A, holds_I2) {"}},
                                         {"other.cc", {"TEST(A, holds_I3) {"}},
                                         {"program.cc", {"int main() {"}}};
  EXPECT_TRUE(empty_proofs({{2, {"named.cc", "program.cc"}}}, files).empty());
  EXPECT_EQ(empty_proofs({{2, {"other.cc"}}}, files).size(), 1u);
  EXPECT_EQ(empty_proofs({{2, {"missing.cc"}}}, files).size(), 1u);
}

TEST(Invariants, each_that_is_said_to_stand_has_proofs_in_the_reliability_page) {
  const auto proofs = read_proofs(
      {"docs/reliability.md", read_lines(source_directory() / "docs" / "reliability.md")});
  const Claims claims = read_claims({"README.md", read_lines(source_directory() / "README.md")});
  for (const auto& [number, stands] : claims.stands) {
    EXPECT_TRUE(!stands || proofs.contains(number)) << "docs/reliability.md proves no I" << number;
  }
  const auto findings = empty_proofs(proofs, test_sources());
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

// Prints the map, so that a reader of the log sees what proves what.
TEST(Invariants, each_that_is_said_to_stand_is_named_by_a_test) {
  const auto tests = tests_by_invariant(test_sources());
  for (int number = 1; number <= kInvariants; ++number) {
    const auto named = tests.find(number);
    std::cout << 'I' << number << ":\n";
    if (named == tests.end()) continue;
    for (const std::string& test : named->second) std::cout << "  " << test << '\n';
  }
  const auto readme = source_directory() / "README.md";
  if (!std::filesystem::exists(readme)) GTEST_SKIP() << "there is no README.md";
  const Claims claims = read_claims({"README.md", read_lines(readme)});
  EXPECT_TRUE(claims.findings.empty()) << to_string(claims.findings);
  for (const auto& [number, stands] : claims.stands) {
    EXPECT_TRUE(!stands || tests.contains(number))
        << "README.md says that I" << number << " stands, but no test names it";
  }
}

}  // namespace
}  // namespace tiercache::structure
