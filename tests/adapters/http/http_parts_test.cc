// What reads text of its own: URL templates, Retry-After, JSON pointers.
#include <gmock/gmock.h>

#include <stdexcept>

#include "retry_after.h"
#include "select.h"
#include "url.h"

namespace tiercache::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

std::string fault_of(const std::string& text) {
  try {
    UrlTemplate url(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "(accepted)";
}

// --- URLs ---

TEST(UrlTemplates, key_is_encoded_wherever_it_stands) {
  const UrlTemplate url("https://API.example.com:443/v1/{key}/x?name={key}&y=1");
  EXPECT_EQ(url.expand("k"), "https://api.example.com/v1/k/x?name=k&y=1");
  EXPECT_EQ(url.expand("a b/c?d#e&f=%g+é"),
            "https://api.example.com/v1/a%20b%2Fc%3Fd%23e%26f%3D%25g%2B%C3%A9/x"
            "?name=a%20b%2Fc%3Fd%23e%26f%3D%25g%2B%C3%A9&y=1");
  EXPECT_EQ(UrlTemplate("https://h.example?q={key}").expand("k"), "https://h.example/?q=k");
}

TEST(UrlTemplates, no_key_leaves_its_segment_of_the_path_I12) {
  const UrlTemplate whole("https://h.example/a/{key}/b");
  const UrlTemplate part("https://h.example/a/.{key}");
  for (const std::string key :
       {"..", ".", "../x", "x/..", "x/./y", "/..", "..\\x", "x/../../admin"}) {
    EXPECT_EQ(whole.expand(key), std::nullopt) << key;
  }
  EXPECT_EQ(part.expand("."), std::nullopt);
  for (const std::string key : {"...", "..x", "x..", "%2e%2e", "a//b", "/", "\\", "?..", ";.."}) {
    EXPECT_NE(whole.expand(key), std::nullopt) << key;
  }
  EXPECT_NE(UrlTemplate("https://h.example/a?k={key}").expand("../x"), std::nullopt);
}

TEST(UrlTemplates, what_cannot_be_asked_is_refused) {
  for (const char* bad : {"",
                          "api.example.com/x",
                          "ftp://h.example/x",
                          "file:///etc/passwd",
                          "https://",
                          "https:///x",
                          "https://{key}.example/",
                          "https://h.example:{key}/",
                          "https://h.example/{id}",
                          "https://h.example/{key",
                          "https://h.example/a b",
                          "https://h.example/\r\nX: y",
                          "https://h.example/#x",
                          "https://h.example/é",
                          "https://h.example/%zz",
                          "https://h.example/a/../{key}",
                          "https://h.example/%2e%2E/x",
                          "https://h.example/a\\b",
                          "https://h.example:99999/",
                          "https://{key}@h.example/"}) {
    EXPECT_NE(fault_of(bad), "(accepted)") << bad;
  }
  EXPECT_NE(fault_of("https://h.example/" + std::string(9'000, 'x')), "(accepted)");
  EXPECT_NE(fault_of(std::string("https://h.example/\0x", 20)), "(accepted)");
}

TEST(UrlTemplates, port_that_is_none_is_named_as_that) {
  for (const char* bad :
       {"https://h.example:99999/", "https://h.example:0/", "https://h.example:x/",
        "https://[::1]:70000/", "https://u:p@h.example:-1/"}) {
    EXPECT_EQ(fault_of(bad), "its port is not a number from 1 to 65535") << bad;
  }
  for (const char* good : {"https://h.example:8443/", "https://h.example:/", "https://[::1]/",
                           "https://[::1]:8443/", "https://u:p@h.example/"}) {
    EXPECT_EQ(fault_of(good), "(accepted)") << good;
  }
}

TEST(UrlTemplates, password_that_is_not_escaped_is_told_as_that) {
  for (const char* bad : {"https://u:pa/ss@h.example/", "https://u:pa?ss@h.example/"}) {
    EXPECT_THAT(fault_of(bad), HasSubstr("a password with special characters")) << bad;
  }
}

TEST(UrlTemplates, user_info_is_taken_apart_and_in_no_text) {
  const UrlTemplate url("https://us%40er:p%3Aw@h.example/x");
  EXPECT_EQ(url.user(), "us@er");
  EXPECT_EQ(url.password(), "p:w");
  EXPECT_EQ(url.shown(), "https://h.example/x");
  EXPECT_EQ(url.expand(""), "https://h.example/x");
}

TEST(ShownUrls, are_without_user_info_query_values_and_fragment_I11) {
  EXPECT_EQ(shown_url("https://u:secret@h.example/p/{key}?a=secret&b&c=&=secret#secret"),
            "https://h.example/p/{key}?a=…&…&c=…&=…");
  EXPECT_EQ(shown_url("https://h.example"), "https://h.example");
  for (const char* odd : {"u:secret@h.example/x", "https://u@x:secret@h.example", "?secret",
                          "https://u:secret@h.example?q=secret", "h#secret",
                          "https://u:pa/secret@h.example/x", "https://u:pa?secret@h.example/x",
                          "https://u:secret/pass@h.example/x", "https://u:pa#secret@h.example/x"}) {
    EXPECT_THAT(shown_url(odd), Not(HasSubstr("secret"))) << odd;
  }
}

TEST(Origins, loopback_is_known_by_name_or_address_alone) {
  const auto loopback = [](const std::string& host) {
    const auto target = parse_target("http://" + host + "/");
    return target && target->origin.is_loopback();
  };
  for (const char* local : {"localhost", "LOCALHOST:81", "127.0.0.1", "127.1.2.3:9", "[::1]:8"}) {
    EXPECT_TRUE(loopback(local)) << local;
  }
  for (const char* other : {"127.0.0.1.evil.example", "localhost.evil.example", "128.0.0.1",
                            "127.evil.example", "[::2]", "0.0.0.0", "h.example", "10.0.0.1"}) {
    EXPECT_FALSE(loopback(other)) << other;
  }
}

TEST(Origins, are_compared_after_normalising) {
  EXPECT_EQ(parse_target("HTTPS://H.example:443/x")->origin,
            parse_target("https://h.example")->origin);
  EXPECT_NE(parse_target("https://h.example:444/")->origin,
            parse_target("https://h.example")->origin);
  EXPECT_NE(parse_target("http://h.example:443/")->origin,
            parse_target("https://h.example")->origin);
  EXPECT_EQ(parse_target("https://u:p@h.example/x#f")->url, "https://h.example/x");
  EXPECT_EQ(parse_target("ftp://h.example/"), std::nullopt);
  EXPECT_EQ(parse_target("/relative"), std::nullopt);
  EXPECT_EQ(parse_target(""), std::nullopt);
}

// --- Retry-After ---

const WallTime kNow{std::chrono::seconds(784'111'777)};  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(RetryDelays, are_seconds_or_a_date_in_each_form) {
  EXPECT_EQ(retry_delay("7", "", kNow), 7s);
  EXPECT_EQ(retry_delay("007", "", kNow), 7s);
  EXPECT_EQ(retry_delay("Sun, 06 Nov 1994 08:50:37 GMT", "", kNow), 60s);
  EXPECT_EQ(retry_delay("Sunday, 06-Nov-94 08:50:37 GMT", "", kNow), 60s);
  EXPECT_EQ(retry_delay("Sun Nov  6 08:50:37 1994", "", kNow), 60s);
}

TEST(RetryDelays, date_counts_from_the_servers_own_time) {
  EXPECT_EQ(retry_delay("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT", kNow),
            30s);
  EXPECT_EQ(retry_delay("Sun, 06 Nov 1994 08:50:37 GMT", "yesterday", kNow), 60s);
}

TEST(RetryDelays, are_at_most_a_day) {
  EXPECT_EQ(retry_delay("999999999999999999999999999", "", kNow), 24h);
  EXPECT_EQ(retry_delay("Fri, 06 Nov 2094 08:49:37 GMT", "", kNow), 24h);
}

TEST(RetryDelays, what_says_nothing_about_the_future_is_none) {
  for (const char* none :
       {"", "0", "-5", "+5", "5s", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sat, 05 Nov 1994 08:49:37 GMT", "Sun, 99 Nov 1994 08:50:37 GMT"}) {
    EXPECT_EQ(retry_delay(none, "", kNow), std::nullopt) << none;
  }
  EXPECT_EQ(retry_delay(std::string(1'000, ':'), "", kNow), std::nullopt);
}

// --- JSON pointers ---

std::optional<std::string> select(const std::string& pointer, const std::string& document) {
  return JsonPointer(pointer).find_in(document);
}

TEST(JsonPointers, give_the_bytes_of_the_part_as_they_stand) {
  const std::string document =
      R"( {"a" : {"b":[1, {"c" :  1.50 } , "x\u0041"], "":true}, "e/~":null,
    "big": 123456789012345678901234567890 } )";
  EXPECT_EQ(select("", document), document);
  EXPECT_EQ(select("/a/b/1", document), R"({"c" :  1.50 })");
  EXPECT_EQ(select("/a/b/1/c", document), "1.50");
  EXPECT_EQ(select("/a/b/2", document), R"("x\u0041")");
  EXPECT_EQ(select("/a/b", document), R"([1, {"c" :  1.50 } , "x\u0041"])");
  EXPECT_EQ(select("/a/", document), "true");
  EXPECT_EQ(select("/e~1~0", document), "null");
  EXPECT_EQ(select("/big", document), "123456789012345678901234567890");
  EXPECT_EQ(select("/0", "[1]"), "1");
}

TEST(JsonPointers, members_are_compared_unescaped) {
  EXPECT_EQ(select("/né", R"({"n\u00e9":1})"), "1");
  EXPECT_EQ(select("/a\"b", R"({"a\"b":1})"), "1");
}

TEST(JsonPointers, what_is_not_there_is_nothing) {
  for (const char* pointer : {"/x", "/a/b", "/l/3", "/l/-", "/l/01", "/l/x", "/l/0/0", "/s/0"}) {
    EXPECT_EQ(select(pointer, R"({"a":1,"l":[1,2,3],"s":"text"})"), std::nullopt) << pointer;
  }
  EXPECT_EQ(select("/a", "7"), std::nullopt);
  EXPECT_EQ(select("/l/18446744073709551616", R"({"l":[1]})"), std::nullopt);
}

TEST(JsonPointers, document_that_is_broken_or_ambiguous_is_refused) {
  for (const char* bad : {"", "{", R"({"a":1)", R"({"a":1}})", R"({"a":1} {"a":2})",
                          R"({"a":1,"a":2})", R"({"b":"\xff","a":1)", "{\"b\":\"\xff\",\"a\":1}"}) {
    EXPECT_THROW(select("/a", bad), std::runtime_error) << bad;
  }
}

TEST(JsonPointers, text_that_is_none_is_refused) {
  for (const char* bad : {"a", "a/b", "/~", "/~2", "/a~"}) {
    EXPECT_THROW(JsonPointer{bad}, std::invalid_argument) << bad;
  }
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "/a";
  EXPECT_THROW(JsonPointer{deep}, std::invalid_argument);
}

}  // namespace
}  // namespace tiercache::http
