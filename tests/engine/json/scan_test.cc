// The exact check alone: what it takes, where it stops, and what it says first.
#include "json/scan.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tiercache {
namespace {

constexpr DocumentRules kNoNul{.refuse_nul_escape = true};

std::string scanned(std::string_view text, const DocumentRules& rules = {}) {
  const auto fault = scan_document(text, rules);
  return fault ? fault->why + " at " + std::to_string(fault->offset) : "fine";
}

TEST(Scan, white_space_may_stand_around_every_token) {
  for (const char* text : {" [ 1 , 2 ] ", "\t{ \"a\" : 1 ,\n\"b\" : [ ] , \"c\" : { } }\r\n",
                           "[\n]", "{\r}", "[ [ ] , { } ]"}) {
    EXPECT_EQ(scanned(text), "fine") << text;
  }
}

// What follows a token that is refused could be taken for what should have stood there.
TEST(Scan, token_that_is_refused_is_not_made_up_for_by_what_follows) {
  EXPECT_EQ(scanned("\"abc"), "a string has no end at 0");
  EXPECT_EQ(scanned("\"a\n"), "a control character in a string must be escaped at 2");
  EXPECT_EQ(scanned("{\"a\n1}"), "a control character in a string must be escaped at 3");
  EXPECT_EQ(scanned("{1}"), "expected a member name in double quotes at 1");
  EXPECT_EQ(scanned("{\"a\":1,2}"), "expected a member name in double quotes at 7");
  EXPECT_EQ(scanned("{[]}"), "expected a member name in double quotes at 1");
  EXPECT_EQ(scanned("{\"a\":1,\"a\"2}"), "duplicate member \"a\" at 7");
  EXPECT_EQ(scanned("{\"\\u0000\"1}", kNoNul), "\\u0000, which the store cannot hold at 2");
  EXPECT_EQ(scanned("\"\xc3\xa4"), "a string has no end at 0");
  EXPECT_EQ(scanned("\"\\u00@0\""), "\\u needs four hexadecimal digits at 1");
  EXPECT_EQ(scanned("\"\\ud800\\uZZZZ\""), "\\u needs four hexadecimal digits at 7");
}

TEST(Scan, of_several_nul_escapes_the_first_is_told) {
  EXPECT_EQ(scanned("\"\\u0000a\\u0000\"", kNoNul), "\\u0000, which the store cannot hold at 1");
  EXPECT_EQ(scanned("[\"\\u0000\",\"a\"]"), "fine");
}

// The bytes behind a text in memory are not part of it: a part of a longer text is judged as a copy
// of that part is.
TEST(Scan, part_of_a_longer_text_ends_where_it_ends) {
  for (const std::string_view text :
       {"[1 , 2 ] ", "-12.5e+10", "\"\\u00e4\\ud83d\\ude00\\n\\\"\"", "{\"a\":[true,false,null]}",
        "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "0.5", "[[],{}]", "  \n 7 \n "}) {
    for (std::size_t size = 0; size <= text.size(); ++size) {
      const std::string_view part = text.substr(0, size);
      // Its end is followed by bytes that belong to no text.
      std::vector<char> copy(part.begin(), part.end());
      copy.insert(copy.end(), {'\x01', '\x01'});
      EXPECT_EQ(scanned(part), scanned({copy.data(), size})) << part;
    }
  }
}

TEST(Scan, utf8_is_taken_up_to_its_edges_and_not_beyond) {
  for (const char* bytes :
       {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe0\xbf\xbf", "\xe1\x80\x80",
        "\xec\xbf\xbf", "\xed\x80\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf0\xbf\xbf\xbf", "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf",
        "\xf4\x80\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(scanned(std::string("\"") + bytes + "\""), "fine") << testing::PrintToString(bytes);
  }
  for (const char* bytes : {"\x80",
                            "\x80\x80\x80",
                            "\x80\x80\x80\x80",
                            "\xc1\x80\x80",
                            "\xbf",
                            "\xc0\x80",
                            "\xc1\xbf",
                            "\xc2\x7f",
                            "\xc2\xc0",
                            "\xdf",
                            "\xe0\x9f\xbf",
                            "\xe0\xa0\x7f",
                            "\xe0\xa0\xc0",
                            "\xe0\xa0",
                            "\xed\xa0\x80",
                            "\xed\xbf\xbf",
                            "\xef\xbf",
                            "\xef\xc0\x80",
                            "\xf0\x8f\xbf\xbf",
                            "\xf0\x90\x80",
                            "\xf0\x90\x80\x7f",
                            "\xf0\x90\xc0\x80",
                            "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80",
                            "\xff"}) {
    EXPECT_EQ(scanned(std::string("\"") + bytes + "\""), "not UTF-8 at 1")
        << testing::PrintToString(bytes);
  }
}

TEST(Scan, escaped_member_names_are_those_of_their_bytes_at_every_length) {
  for (const auto& [escaped, bytes] : {std::pair<const char*, const char*>{"\\u0001", "\\u0001"},
                                       {"\\u007f", "\x7f"},
                                       {"\\u0080", "\xc2\x80"},
                                       {"\\u00e4", "\xc3\xa4"},
                                       {"\\u07fF", "\xdf\xbf"},
                                       {"\\u0800", "\xe0\xa0\x80"},
                                       {"\\uABCD", "\xea\xaf\x8d"},
                                       {"\\uffff", "\xef\xbf\xbf"},
                                       {"\\ud800\\udc00", "\xf0\x90\x80\x80"},
                                       {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                                       {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf"}}) {
    const std::string text = std::string("{\"") + escaped + "\":1,\"" + bytes + "\":2}";
    EXPECT_TRUE(scanned(text).starts_with("duplicate member")) << text;
  }
}

TEST(Scan, member_name_is_shown_whole_up_to_its_bound_and_cut_between_characters_above) {
  const auto shown = [](const std::string& name) {
    const auto fault = scan_document("{\"" + name + "\":1,\"" + name + "\":2}", {});
    return fault ? fault->why : "fine";
  };
  const std::string just(64, 'x');
  EXPECT_EQ(shown(just), "duplicate member \"" + just + "\"");
  EXPECT_EQ(shown(just + "y"), "duplicate member \"" + just + "\"...");
  std::string umlauts = "a", cut = "a";
  for (int i = 0; i < 100; ++i) umlauts += "\xc3\xa4";
  for (int i = 0; i < 31; ++i) cut += "\xc3\xa4";
  EXPECT_EQ(shown(umlauts), "duplicate member \"" + cut + "\"...");
}

}  // namespace
}  // namespace tiercache
