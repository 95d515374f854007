#include "structure/comments.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tiercache::structure {
namespace {

using Texts = std::vector<std::string>;

std::string found(const Texts& lines) {
  std::string names;
  for (const Finding& finding : uncommented_declarations({"a.h", lines})) {
    names += std::to_string(finding.line) + ": " + finding.what + '\n';
  }
  return names;
}

std::string missing(int line, const std::string& name) {
  return std::to_string(line) + ": " + name + " has no comment\n";
}

TEST(Comments, each_kind_of_declaration_without_one_is_found) {
  EXPECT_EQ(found({"struct A {};"}), missing(1, "A"));
  EXPECT_EQ(found({"namespace a {", "class B;", "class B : public C {", "};", "}"}),
            missing(3, "B"));
  EXPECT_EQ(found({"template <class T, class U>", "struct Pair<T, U> {", "};"}),
            missing(1, "Pair"));
  EXPECT_EQ(found({"enum class E : int {", "  a,  // first", "  b,", "  c = 3", "};"}),
            missing(1, "E") + missing(3, "b") + missing(4, "c"));
  EXPECT_EQ(found({"// One line.", "enum class E { a, b };"}), missing(2, "a") + missing(2, "b"));
  EXPECT_EQ(found({"int f(int a,", "      int b = g({1}));"}), missing(1, "f"));
  EXPECT_EQ(found({"inline int f() {", "  int x = 1;  // of no account", "  return x;", "}"}),
            missing(1, "f"));
  EXPECT_EQ(found({"constexpr int kA = 1, kB = 2;"}), missing(1, "kA"));
  EXPECT_EQ(found({"using A = std::map<int, long>;"}), missing(1, "A"));
  EXPECT_EQ(found({"template <class T>", "concept C = requires(T t) {", "  t.f();", "};"}),
            missing(1, "C"));
}

TEST(Comments, members_without_one_are_found) {
  EXPECT_EQ(found({
                "// A type.",
                "struct A {",
                "  explicit A(int x) : x_{x}, y(x) {}",
                "  explicit operator bool() const { return true; }",
                "  bool operator()(int) const;",
                "  virtual void g() const = 0;",
                "  std::function<bool(const A&)> validate = {};",
                "  std::chrono::milliseconds ttl{5};",
                "  std::vector<std::pair<int, int>> pairs;",
                "  template <class V>",
                "  requires std::convertible_to<V, int> void put(V&& v) {}",
                "  [[nodiscard]] int h();",
                "};",
            }),
            missing(3, "A") + missing(4, "operator bool") + missing(5, "operator") +
                missing(6, "g") + missing(7, "validate") + missing(8, "ttl") + missing(9, "pairs") +
                missing(10, "put") + missing(12, "h"));
}

TEST(Comments, above_or_behind_a_declaration_count) {
  EXPECT_EQ(found({"// A type.", "struct A {", "  int x;  // a field", "  // Another.", "  int y;",
                   "};"}),
            "");
  EXPECT_EQ(found({"int f(int a,", "      int b);  // a sum"}), "");
  EXPECT_EQ(found({"// A sum.", "template <class T>", "T f(T a, T b);"}), "");
  EXPECT_EQ(found({"// The first line of", "// a comment.", "int f();"}), "");
}

TEST(Comments, elsewhere_do_not_count) {
  EXPECT_EQ(found({"// Of the file.", "", "int f();"}), missing(3, "f"));
  EXPECT_EQ(found({"// --- Words ---", "int f();"}), missing(2, "f"));
  EXPECT_EQ(found({"int f(const char* url = \"http://a\");"}), missing(1, "f"));
  // The second line of what stands behind `a`.
  EXPECT_EQ(found({"// A type.", "struct A {", "  int a;  // goes on", "          // here",
                   "  int b;", "};"}),
            missing(5, "b"));
}

TEST(Comments, overload_directly_below_a_commented_one_needs_none) {
  EXPECT_EQ(found({"// A sum.", "int f(int a);", "int f(long a);", "int f(char a);"}), "");
  EXPECT_EQ(found({"// A sum.", "int f(int a);", "", "int f(long a);"}), missing(4, "f"));
  EXPECT_EQ(found({"// A sum.", "int f(int a);", "int g(long a);"}), missing(3, "g"));
  EXPECT_EQ(found({"int f(int a);", "int f(long a);"}), missing(1, "f") + missing(2, "f"));
}

TEST(Comments, field_in_the_option_table_of_its_struct_needs_none) {
  EXPECT_EQ(found({
                "// | field | meaning |",
                "// |-------|---------|",
                "// | a     | first   |",
                "//",
                "// More.",
                "struct Options {",
                "  std::chrono::milliseconds a = std::chrono::minutes(5);",
                "  int b = 0;",
                "};",
            }),
            missing(8, "b"));
}

TEST(Comments, what_no_user_sees_needs_none) {
  EXPECT_EQ(found({"namespace a::detail {", "int f();", "struct A { int x; };", "}"}), "");
  EXPECT_EQ(found({"// A type.", "class A {", "  int x;", " protected:", "  struct B { int y; };",
                   " private:", "  void f() {}", "};"}),
            "");
  EXPECT_EQ(found({"// A type.", "class A {", "  int x;", " public:", "  void f();", "};"}),
            missing(5, "f"));
}

TEST(Comments, what_says_it_all_needs_none) {
  for (const char* member : {
           "~A();",
           "virtual ~A() = default;",
           "A() = default;",
           "A(const A&) = delete;",
           "A& operator=(const A&) = delete;",
           "int f() const override { return 1; }",
           "int f() override;",
           "class B;",
           "enum class B : int;",
           "friend class B;",
           "friend bool operator==(const A&, const A&) = default;",
           "friend void print(const A& a) { a.f(); }",
           "static_assert(sizeof(int) == 4, \"four\");",
       }) {
    EXPECT_EQ(found({"// A type.", "struct A {", member, "};"}), "") << member;
  }
  EXPECT_EQ(found({"template <class T>", "int A<T>::f(int x) {", "  return x;", "}"}), "");
  EXPECT_EQ(found({"TEST_P(Suite, name) {", "  f();", "}"}), "");
  EXPECT_EQ(found({"#define A(x) \\", "  int x", "using namespace b;"}), "");
}

TEST(Comments, file_whose_braces_do_not_match_is_told) {
  EXPECT_EQ(found({"namespace a {"}), "0: its braces do not match\n");
}

TEST(Comments, torn_initialisers_are_found) {
  EXPECT_EQ(torn_initialisers({"a.h", {"  int x =", "      1;  // why"}}).size(), 1u);
  EXPECT_EQ(torn_initialisers({"a.h", {"  int x = 1;  // why"}}).size(), 0u);
  EXPECT_EQ(torn_initialisers({"a.h", {"  int x =", "      f();"}}).size(), 0u);
}

TEST(Comments, odd_rulers_are_found) {
  for (const char* ruler : {"// ---- words", "// --- Words --- ---", "//---", "// --- Words",
                            "  // ======", "// *** Words ***", "// --- ---"}) {
    EXPECT_EQ(odd_rulers({"a.h", {ruler}}).size(), 1u) << ruler;
  }
  for (const char* other : {"// --- Words ---", "  // --- Words (a.cc) ---", "// --option is it",
                            "// |-----|", "x = \"// ---\";"}) {
    EXPECT_EQ(odd_rulers({"a.h", {other}}).size(), 0u) << other;
  }
}

TEST(Comments, every_public_declaration_has_one) {
  std::vector<Finding> findings;
  const std::vector<SourceFile> headers = read_public_headers();
  for (const SourceFile& file : headers) {
    for (const auto& check : {uncommented_declarations, torn_initialisers}) {
      const auto some = check(file);
      findings.insert(findings.end(), some.begin(), some.end());
    }
  }
  EXPECT_GT(headers.size(), 30u);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

TEST(Comments, rulers_have_one_form) {
  std::vector<SourceFile> files = read_public_headers();
  for (SourceFile& file : read_files("tests", {".h", ".cc"})) files.push_back(std::move(file));
  std::vector<Finding> findings;
  for (const SourceFile& file : files) {
    const auto some = odd_rulers(file);
    findings.insert(findings.end(), some.begin(), some.end());
  }
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace tiercache::structure
