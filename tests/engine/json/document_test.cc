#include "json/document.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "json/scan.h"

namespace tiercache {
namespace {

constexpr DocumentRules kStrict{16 << 20, 256, true, true};

std::string why(std::string_view text, const DocumentRules& rules = {}) {
  const auto fault = check_document(text, rules);
  return fault ? fault->to_string() : "fine";
}

// Accepted by the public check, by the exact scan behind it, and by another parser.
void expect_fine(std::string_view text, const DocumentRules& rules = {}) {
  EXPECT_EQ(why(text, rules), "fine") << text.substr(0, 200);
  EXPECT_FALSE(scan_document(text, rules).has_value()) << text.substr(0, 200);
}

void expect_fault(std::string_view text, const std::string& expected,
                  const DocumentRules& rules = {}) {
  EXPECT_EQ(why(text, rules), expected) << text.substr(0, 200);
}

std::string nested(std::size_t depth, char open = '[', char close = ']') {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(Documents, every_kind_of_value_may_be_a_whole_document) {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "-0.0",
                           "12.5e+3",
                           "1E5",
                           "1e-5",
                           "\"\"",
                           "\"a\"",
                           "[]",
                           "{}",
                           " [ ] ",
                           "\t\r\n{ }\n",
                           "[1,\"a\",null,{\"b\":[]}]",
                           R"({"a":{"a":{"a":1}}})",
                           R"(["\"\\\/\b\f\n\r\t\u00e4\u20AC\ud83d\ude00"])",
                           "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
                           "\"\x7f\"",
                           "\"\xef\xbb\xbf\"",
                           "9223372036854775807",
                           "-9223372036854775808",
                           "18446744073709551615"}) {
    expect_fine(text);
    expect_fine(text, kStrict);
    EXPECT_TRUE(nlohmann::json::accept(std::string_view(text))) << text;
  }
}

TEST(Documents, numbers_that_no_machine_type_holds_are_accepted_without_the_rule) {
  for (const char* text : {"18446744073709551616", "-9223372036854775809", "1e400", "-1e400",
                           "[1e400,{\"a\":123456789012345678901234567890}]", "1e-400", "0e99999",
                           "1e999999999999999999999999"}) {
    expect_fine(text);
  }
  expect_fine(std::string(200'000, '9'));
  expect_fine("0." + std::string(200'000, '0') + "1");
}

// Each against Postgres 15: select '…'::jsonb.
TEST(Documents, numbers_beyond_numeric_are_refused_by_the_rule_and_all_others_are_not) {
  const std::string nines(131'072, '9');
  for (const auto& text :
       {nines, "-" + nines, "9" + std::string(131'071, '0') + ".5", std::string("1e131071"),
        std::string("9.99e131071"), std::string("0.01e131073"), std::string("0e200000"),
        std::string("0.0e1000000000"), "0." + std::string(16'382, '0') + "1",
        std::string("1e-16383"), "0." + std::string(16'383, '0'), std::string("1.5e-16382"),
        std::string("0e-16383"), std::string("0.0"), std::string("1e400"),
        std::string("-123456789012345678901234567890"),
        std::string("1e+0000000000000000000000000001")}) {
    expect_fine(text, kStrict);
    expect_fine("[" + text + "]", kStrict);
  }
  for (const auto& text :
       {"1" + std::string(131'072, '0'), std::string("1e131072"), std::string("0.01e131074"),
        std::string("10e131071"), "0." + std::string(16'384, '0'), std::string("1e-16384"),
        std::string("1.50e-16382"), std::string("0e-16384"), std::string("0.0e-16383"),
        std::string("1e-20000"), std::string("0e2000000000"),
        std::string("1e999999999999999999999"), std::string("-1e-999999999999999999999"),
        "1." + std::string(20'000, '5')}) {
    expect_fine(text);
    EXPECT_EQ(check_document(text, kStrict)->why, "a number beyond what the store holds") << text;
    EXPECT_EQ(check_document("[1, " + text + "]", kStrict)->offset, 4u);
  }
}

TEST(Documents, numbers_count_written_out_where_the_store_writes_them_so) {
  const auto rules = [](std::size_t bytes) {
    return DocumentRules{.max_bytes = bytes, .numbers_written_out = true};
  };
  for (const auto& [text, bytes] : {std::pair<std::string, std::size_t>{"[1e6]", 9},
                                    {"[1E+6, 2]", 12},
                                    {"[-1.5e-3]", 9},
                                    {"[0.0]", 5},
                                    {"[0e9,0e-3]", 11},
                                    {"[1.50e1]", 8},
                                    {"[1e2,\"1e9999\",1e2]", 18},
                                    {"{\"1e9\":1e3}", 12},
                                    {"[1e308]", 311},
                                    {"[1e-300]", 304},
                                    {"[1e131071]", 131'074},
                                    {"[1e-16383]", 16'387},
                                    {"[123456789012345678901234567890]", 32}}) {
    expect_fine(text, rules(bytes));
    expect_fine(text, rules(bytes + 5));
    if (bytes == text.size()) continue;
    const auto fault = check_document(text, rules(bytes - 1));
    ASSERT_TRUE(fault) << text;
    EXPECT_TRUE(fault->why.starts_with("with the numbers up to here written out")) << fault->why;
    EXPECT_FALSE(check_document(text, {.max_bytes = bytes - 1})) << "only by the rule";
  }
}

TEST(Documents, few_bytes_that_are_many_digits_are_refused_with_the_place_that_was_too_much) {
  std::string text = "[1e131071";
  for (int i = 1; i < 200; ++i) text += ",1e131071";
  text += "]";
  const DocumentRules rules{.numbers_written_out = true};
  const auto fault = check_document(text, rules);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->offset, 127u * 9 + 1) << "the 128th passes 16 MiB";
  EXPECT_FALSE(check_document(text, {}));
}

TEST(Documents, numbers_near_a_limit_are_judged_alike_by_the_fast_check_and_the_exact_one) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "[";
    for (int i = 0; i < 4; ++i) {
      if (i > 0) text += ',';
      if (random() % 2 == 0) text += '-';
      text += std::to_string(random() % 1000);
      if (random() % 2 == 0) text += '.' + std::to_string(random() % 10'000);
      const int exponent = static_cast<int>(random() % 600) - 300;
      if (random() % 2 == 0) text += 'e' + std::to_string(exponent / (1 + random() % 40));
    }
    text += "]";
    const DocumentRules rules{.max_bytes = text.size() + random() % 700,
                              .refuse_unbounded_numbers = random() % 2 == 0,
                              .numbers_written_out = true};
    ASSERT_EQ(check_document(text, rules).has_value(), scan_document(text, rules).has_value())
        << text << " in " << rules.max_bytes;
  }
}

TEST(Documents, what_is_not_json_is_refused_with_its_place) {
  expect_fault("", "the document is empty at line 1, column 1 (byte 0)");
  expect_fault(" \n ", "the document is empty at line 2, column 2 (byte 3)");
  expect_fault("\xEF\xBB\xBF{}", "a byte order mark is not JSON at line 1, column 1 (byte 0)");
  expect_fault("{} {}", "something follows the end of the document at line 1, column 4 (byte 3)");
  expect_fault("1x", "something follows the end of the document at line 1, column 2 (byte 1)");
  expect_fault(std::string_view("{}\0", 3),
               "something follows the end of the document at line 1, column 3 (byte 2)");
  expect_fault("[1,\n2,\n  x]", "expected a value at line 3, column 3 (byte 9)");
  expect_fault("[1,]", "expected a value at line 1, column 4 (byte 3)");
  expect_fault("[1 2]", "expected ',' or ']' at line 1, column 4 (byte 3)");
  expect_fault("{\"a\":1 \"b\"}", "expected ',' or '}' at line 1, column 8 (byte 7)");
  expect_fault("{\"a\" 1}", "expected ':' at line 1, column 6 (byte 5)");
  expect_fault("{\"a\":1,}",
               "expected a member name in double quotes at line 1, column 8 (byte 7)");
  expect_fault("{a:1}", "expected a member name in double quotes at line 1, column 2 (byte 1)");
  expect_fault("[1}", "expected ',' or ']' at line 1, column 3 (byte 2)");
  expect_fault("nul", "expected a value at line 1, column 1 (byte 0)");
  expect_fault("'a'", "expected a value at line 1, column 1 (byte 0)");
  expect_fault("NaN", "expected a value at line 1, column 1 (byte 0)");
  expect_fault("/**/1", "expected a value at line 1, column 1 (byte 0)");
  for (const char* text : {"[", "{", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,"}) {
    const auto fault = check_document(text, {});
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(fault->why, "the document ends too early") << text;
    EXPECT_EQ(fault->offset, std::string_view(text).size());
  }
}

TEST(Documents, malformed_numbers_are_refused) {
  expect_fault("01", "a number may not start with a zero at line 1, column 1 (byte 0)");
  expect_fault("-012", "a number may not start with a zero at line 1, column 2 (byte 1)");
  expect_fault("-", "a number needs a digit here at line 1, column 2 (byte 1)");
  expect_fault("[1.]", "a number needs a digit after its point at line 1, column 4 (byte 3)");
  expect_fault("1e+", "a number needs a digit in its exponent at line 1, column 4 (byte 3)");
  for (const char* text : {"+1", ".5", "1.e5", "--1", "1e", "1eE5", "0x10", "1_000", "Infinity",
                           "1.5.5", "-a", "00"}) {
    EXPECT_NE(why(text), "fine") << text;
  }
}

TEST(Documents, malformed_strings_are_refused) {
  expect_fault("[\"abc", "a string has no end at line 1, column 2 (byte 1)");
  expect_fault("\"a\nb\"",
               "a control character in a string must be escaped at line 1, column 3 (byte 2)");
  expect_fault("\"\\x\"", "an escape that JSON does not know at line 1, column 2 (byte 1)");
  expect_fault("\"\\u12g4\"", "\\u needs four hexadecimal digits at line 1, column 2 (byte 1)");
  expect_fault("\"\\u12", "\\u needs four hexadecimal digits at line 1, column 2 (byte 1)");
  expect_fault("\"\\", "an escape that JSON does not know at line 1, column 2 (byte 1)");
}

TEST(Documents, lone_surrogates_are_refused) {
  const std::string high =
      "a high surrogate without a low one after it at line 1, column 3 (byte 2)";
  for (const char* text : {R"("x\ud800")", R"("x\uDBFFx")", R"("x\ud800\n")", R"("x\ud800\u0041")",
                           R"("x\ud800\ud800")", R"("x\ud800\ue000")"}) {
    expect_fault(text, high);
  }
  expect_fault(R"("x\udc00")",
               "a low surrogate without a high one before it at line 1, column 3 (byte 2)");
  expect_fault(R"({"\udfff":1})",
               "a low surrogate without a high one before it at line 1, column 3 (byte 2)");
  expect_fine(R"("\ud800\udc00\udbff\udfff\ud7ff\ue000")");
}

// All sequences of up to four bytes from those at which the rules of UTF-8 change.
TEST(Documents, utf8_is_judged_as_another_parser_does) {
  const std::string edges(
      "\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef"
      "\xf0\xf1\xf3\xf4\xf5\xff",
      24);
  std::size_t accepted = 0;
  const auto check = [&](const std::string& bytes) {
    const std::string text = '"' + bytes + '"';
    const bool fine = !check_document(text, {});
    ASSERT_EQ(fine, nlohmann::json::accept(text)) << testing::PrintToString(bytes);
    ASSERT_EQ(fine, !scan_document(text, {})) << testing::PrintToString(bytes);
    accepted += fine ? 1 : 0;
  };
  for (char a : edges) {
    for (char b : edges) {
      check({a, b});
      for (char c : edges) {
        check({a, b, c});
        for (char d : edges) check({a, b, c, d});
      }
    }
  }
  EXPECT_GT(accepted, 100u);
}

TEST(Documents, invalid_utf8_is_refused_at_its_byte) {
  expect_fault("[\"ab\xff\"]", "not UTF-8 at line 1, column 5 (byte 4)");
  expect_fault("[\"\xe2\x82\"]", "not UTF-8 at line 1, column 3 (byte 2)");
  EXPECT_NE(why("\xff"), "fine");
  EXPECT_NE(why("[1]\xc3\xa4"), "fine");
}

TEST(Documents, larger_than_the_limit_is_refused) {
  const DocumentRules rules{5, 256, false, false};
  expect_fine("[1,2]", rules);
  expect_fault("[1,2] ",
               "the document's 6 bytes are more than the limit of 5 at line 1, column 6 (byte 5)",
               rules);
  expect_fault("[1,\n2]",
               "the document's 6 bytes are more than the limit of 5 at line 2, column 2 (byte 5)",
               rules);
}

TEST(Documents, nested_deeper_than_the_limit_is_refused) {
  for (std::size_t limit : {0, 1, 2, 255, 256, 257, 1023, 1024, 1025, 5000}) {
    const DocumentRules rules{16 << 20, limit, false, false};
    expect_fine("1", rules);
    if (limit > 0) expect_fine(nested(limit), rules);
    const auto fault = check_document(nested(limit + 1), rules);
    ASSERT_TRUE(fault) << limit;
    EXPECT_EQ(fault->why, "nested deeper than " + std::to_string(limit));
    EXPECT_EQ(fault->offset, limit);
  }
  const DocumentRules two{16 << 20, 2, false, false};
  expect_fine(R"({"a":[1],"b":{}})", two);
  EXPECT_TRUE(check_document(R"({"a":[1],"b":{"c":{}}})", two));
  EXPECT_TRUE(check_document(R"([[{}]])", two));
}

TEST(Documents, nesting_never_takes_stack) {
  const DocumentRules any{SIZE_MAX, SIZE_MAX, true, true};
  constexpr std::size_t kDeep = 2'000'000;
  expect_fine(nested(kDeep), any);
  EXPECT_TRUE(check_document(std::string(kDeep, '['), any));
  EXPECT_TRUE(check_document(std::string(kDeep, '['), {}));
  std::string objects;
  for (std::size_t i = 0; i < kDeep / 10; ++i) objects += "{\"a\":";
  EXPECT_TRUE(check_document(objects, any));
  expect_fine(objects + "1" + std::string(kDeep / 10, '}'), any);
}

TEST(Documents, duplicate_members_are_refused_where_the_second_begins) {
  expect_fault(R"({"a":1,"a":2})", "duplicate member \"a\" at line 1, column 8 (byte 7)");
  expect_fault("{\"id\":1,\n \"b\":{},\n    \"id\":2}",
               "duplicate member \"id\" at line 3, column 5 (byte 22)");
  expect_fault(R"({"":1,"":2})", "duplicate member \"\" at line 1, column 7 (byte 6)");
  expect_fault(R"([{"x":{"y":[{"a":1,"b":2,"a":3}]}}])",
               "duplicate member \"a\" at line 1, column 26 (byte 25)");
  expect_fault(R"({"a":{"b":1},"a":{"c":1}})",
               "duplicate member \"a\" at line 1, column 14 (byte 13)");
}

TEST(Documents, duplicate_members_are_found_after_unescaping) {
  for (const char* text : {R"({"a":1,"\u0061":2})", R"({"\u0061":1,"a":2})", R"({"/":1,"\/":2})",
                           R"({"\n":1,"\u000a":2})", R"({"\u000A":1,"\u000a":2})",
                           R"({"\ud83d\ude00":1,"😀":2})", R"({"\u20ac":1,"€":2})",
                           R"({"\u0000":1,"\u0000":2})", R"({"\u0000a":1,"\u0000\u0061":2})"}) {
    const auto fault = check_document(text, {});
    ASSERT_TRUE(fault) << text;
    EXPECT_TRUE(fault->why.starts_with("duplicate member")) << fault->why;
  }
  for (const char* text :
       {R"({"a":1,"A":2})", R"({"a":1,"b":{"a":2}})", R"([{"a":1},{"a":2}])",
        R"({"\u0000":1,"":2})", R"({"\\u0061":1,"a":2})", "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"}) {
    expect_fine(text);
  }
}

TEST(Documents, duplicate_member_names_are_shown_escaped_and_cut) {
  EXPECT_EQ(check_document(R"({"\n":1,"\n":2})", {})->why, "duplicate member \"\\n\"");
  std::string name;
  for (int i = 0; i < 100; ++i) name += "\xc3\xa4";
  const auto fault = check_document("{\"a" + name + "\":1,\"a" + name + "\":2}", {});
  EXPECT_LT(fault->why.size(), 100u);
  EXPECT_TRUE(nlohmann::json::accept('"' + fault->why.substr(18, 63) + '"')) << fault->why;
  EXPECT_TRUE(fault->why.ends_with("...")) << fault->why;
}

std::string object_of(std::size_t members) {
  std::string text = "{";
  for (std::size_t i = 0; i < members; ++i) text += "\"member" + std::to_string(i) + "\":0,";
  text.back() = '}';
  return text;
}

TEST(Documents, one_duplicate_among_many_members_is_found) {
  for (std::size_t members : {2, 3, 8, 9, 16, 17, 100, 10'000}) {
    std::string text = object_of(members);
    expect_fine(text);
    text.back() = ',';
    const std::size_t place = text.size();
    text += "\"member" + std::to_string(members / 2) + "\":1}";
    const auto fault = check_document(text, {});
    ASSERT_TRUE(fault) << members;
    EXPECT_EQ(fault->offset, place);
  }
}

// 16 MiB of members: an algorithm that compares each with each would not come back.
TEST(Documents, objects_of_a_million_members_are_checked) {
  const std::string text = object_of(900'000);
  expect_fine(text);
}

TEST(Documents, nul_escapes_are_refused_by_the_rule_alone) {
  for (const char* text :
       {R"("a\u0000")", R"({"\u0000":1})", R"([{"a":"b\u0000c"}])", R"("\\\u0000")"}) {
    expect_fine(text);
    const auto fault = check_document(text, kStrict);
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(fault->why, "\\u0000, which the store cannot hold");
    EXPECT_EQ(text[fault->offset], '\\');
    EXPECT_EQ(std::string_view(text).substr(fault->offset, 6), "\\u0000");
  }
  for (const char* text : {R"("\\u0000")", R"("\u0001")", R"(["\\u0000)", R"("\\\\u0000")"}) {
    EXPECT_EQ(why(text, kStrict), why(text));
  }
}

TEST(Documents, views_that_end_inside_a_larger_buffer_are_not_read_beyond) {
  const std::string buffer = R"([1,2,3]garbage"{[)";
  expect_fine(std::string_view(buffer).substr(0, 7));
  EXPECT_TRUE(check_document(std::string_view(buffer).substr(0, 6), {}));
  const std::string digits = "123456";
  expect_fine(std::string_view(digits).substr(0, 3));
  std::vector<char> tight{'t', 'r', 'u', 'e'};
  expect_fine({tight.data(), 4});
  EXPECT_TRUE(check_document({tight.data(), 3}, {}));
}

TEST(Documents, check_after_a_huge_one_is_right) {
  expect_fine("[" + std::string(4 << 20, ' ') + "]");
  expect_fine("[1]");
}

// Documents made of few tokens in every order: both ways of checking and another parser agree.
TEST(Documents, random_token_soup_is_judged_alike_by_all) {
  const std::vector<std::string> tokens = {
      "{",     "}", "[",      "]",    ",",    ":", "\"a\"", "\"b\"",
      "\"c\"", "1", "-0.5e1", "true", "null", " ", "\n",    "\"\\u0061\""};
  std::mt19937_64 random(7);
  int accepted = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    const auto count = random() % 12 + 1;
    for (std::uint64_t i = 0; i < count; ++i) text += tokens[random() % tokens.size()];
    const auto fault = check_document(text, {});
    ASSERT_EQ(fault.has_value(), scan_document(text, {}).has_value()) << text;
    const bool duplicate = fault && fault->why.starts_with("duplicate");
    if (!duplicate) {
      ASSERT_EQ(!fault, nlohmann::json::accept(text)) << text;
    }
    accepted += fault ? 0 : 1;
  }
  EXPECT_GT(accepted, 1000);
}

// Documents at the edges of the quick check: it may say yes to none that the exact one refuses.
class NumberRules : public testing::TestWithParam<DocumentRules> {
 protected:
  // Both judge alike, as the whole document and within others.
  static void expect_judged_alike(const std::string& number) {
    for (const std::string& text :
         {number, "-" + number, "[" + number + "]", "{\"a\":[1," + number + "]}",
          "[0.0," + number + ",1e3]", "[\"e-\"," + number + "]"}) {
      ASSERT_EQ(check_document(text, GetParam()).has_value(),
                scan_document(text, GetParam()).has_value())
          << text.substr(0, 40) << " of " << text.size() << " bytes";
    }
  }
};

TEST_P(NumberRules, digits_in_a_row_around_every_edge_are_judged_as_by_the_exact_check) {
  for (const std::size_t digits : {1, 4'094, 4'095, 4'096, 4'097, 8'192, 16'382, 16'383}) {
    for (std::size_t shift : {0, 1}) {
      expect_judged_alike("1." + std::string(digits + shift, '5'));
      expect_judged_alike("1" + std::string(digits + shift, '0') + ".5");
      expect_judged_alike("0." + std::string(digits + shift, '0') + "e5");
    }
  }
}

TEST_P(NumberRules, digits_anywhere_in_the_text_are_judged_as_by_the_exact_check) {
  for (std::size_t before : {0, 1, 2'000, 4'093, 4'094, 4'095, 4'096, 9'000}) {
    const std::string padding(before, ' ');
    expect_judged_alike(padding + "1." + std::string(16'384, '5'));
    expect_judged_alike(padding + "1." + std::string(16'384, '5') + "   ");
    expect_judged_alike(padding + "0." + std::string(16'384, '0'));
  }
}

TEST_P(NumberRules, exponents_around_every_edge_are_judged_as_by_the_exact_check) {
  for (const char* digits : {"0", "0.0", "0.00", "1", "1.5", "9.99", "0.001", "10", "120"}) {
    for (const char* e : {"e", "E", "e-", "E-", "e+", "E+"}) {
      for (const char* exponent :
           {"0",     "1",     "5",     "7",      "288",    "289",        "290",
            "291",   "292",   "307",   "308",    "323",    "324",        "400",
            "16382", "16383", "16384", "131071", "131072", "1073741823", "1073741824"}) {
        expect_judged_alike(std::string(digits) + e + exponent);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rules, NumberRules,
    testing::Values(DocumentRules{}, kStrict,
                    DocumentRules{.max_bytes = 16 << 20, .refuse_unbounded_numbers = true},
                    DocumentRules{.max_bytes = 64, .numbers_written_out = true},
                    DocumentRules{.max_bytes = 300, .numbers_written_out = true},
                    DocumentRules{.max_bytes = 140'000, .numbers_written_out = true}));

}  // namespace
}  // namespace tiercache
