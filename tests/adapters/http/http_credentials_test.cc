// Tokens and other secrets: who gets them, who does not; redirects; and bad options.
#include <gmock/gmock.h>

#include <tuple>

#include "adapters/http/servers.h"
#include "tiercache/error.h"
#include "tiercache/http.h"

namespace tiercache::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;
using testing::context_for;
using testing::Server;

std::string outcome_of(const Source& source) {
  try {
    auto context = context_for();
    RefreshAnswer<std::string> answer = source(context);
    const auto* document = std::get_if<Refreshed<std::string>>(&answer.get());
    return document ? document->value : "(no document)";
  } catch (const std::exception& error) {
    return error.what();
  }
}

Server::Handler redirects_to(const std::string& place, int status = 302) {
  return [=](const httplib::Request&, httplib::Response& response) {
    response.set_redirect(place, status);
  };
}

Server::Handler takes_token(const std::string& token) {
  return [=](const httplib::Request& request, httplib::Response& response) {
    const bool good = request.get_header_value("Authorization") == "Bearer " + token;
    response.status = good ? 200 : 401;
    if (good) response.set_content("[1]", "application/json");
  };
}

// --- Tokens ---

TEST(HttpTokens, provider_is_asked_for_each_request) {
  int asked = 0;
  const Server server([](const httplib::Request&, httplib::Response& response) {
    response.set_content("[1]", "application/json");
  });
  const Source one =
      source({.url = server.url(), .bearer = [&asked] { return "t" + std::to_string(++asked); }});
  outcome_of(one);
  outcome_of(one);
  EXPECT_EQ(server.requests().at(0).get_header_value("Authorization"), "Bearer t1");
  EXPECT_EQ(server.requests().at(1).get_header_value("Authorization"), "Bearer t2");
}

TEST(HttpTokens, provider_is_asked_once_more_after_401) {
  int asked = 0;
  const Server server(takes_token("t2"));
  const auto next = [&asked] { return "t" + std::to_string(++asked); };
  EXPECT_EQ(outcome_of(source({.url = server.url(), .bearer = next})), "[1]");
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(HttpTokens, second_401_is_an_error_and_there_is_no_third_request) {
  int asked = 0;
  const Server server(takes_token("other"));
  const auto next = [&asked] { return "secret" + std::to_string(++asked); };
  EXPECT_THAT(outcome_of(source({.url = server.url(), .bearer = next})),
              AllOf(HasSubstr("answered 401"), Not(HasSubstr("secret"))));
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(HttpTokens, same_token_is_not_sent_twice) {
  const Server server(takes_token("other"));
  EXPECT_THAT(outcome_of(source({.url = server.url(), .bearer = [] { return "same"; }})),
              HasSubstr("answered 401"));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpTokens, token_that_no_header_can_hold_is_named_but_not_shown_I11) {
  const Server server(takes_token("t"));
  for (const std::string token : {"", "secret\r\nX-Evil: 1", "a secret", "secr\xe9t"}) {
    EXPECT_THAT(outcome_of(source({.url = server.url(), .bearer = [token] { return token; }})),
                AllOf(HasSubstr("`bearer` gave"), Not(HasSubstr("secr"))));
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpTokens, what_the_provider_throws_is_the_failure) {
  const Server server(takes_token("t"));
  const auto broken = []() -> std::string { throw std::runtime_error("vault is sealed"); };
  EXPECT_EQ(outcome_of(source({.url = server.url(), .bearer = broken})), "vault is sealed");
}

TEST(HttpTokens, user_info_is_sent_as_basic) {
  const Server server(takes_token("t"));
  std::string url = server.url();
  url.replace(0, 7, "http://user:p%40ss@");
  outcome_of(source({.url = url}));
  EXPECT_EQ(server.last().get_header_value("Authorization"), "Basic dXNlcjpwQHNz");
}

// --- Redirects ---

TEST(HttpRedirects, are_followed_with_credentials_on_the_same_origin) {
  for (const int status : {301, 302, 303, 307, 308}) {
    const Server server([status](const httplib::Request& request, httplib::Response& response) {
      if (request.path == "/data.json") return response.set_redirect("moved?x=1", status);
      response.set_content("[1]", "application/json");
    });
    EXPECT_EQ(
        outcome_of(source(
            {.url = server.url(), .bearer = [] { return "t"; }, .headers = {{"X-Api-Key", "k"}}})),
        "[1]");
    EXPECT_EQ(server.last().target, "/moved?x=1");
    EXPECT_EQ(server.last().get_header_value("Authorization"), "Bearer t");
    EXPECT_EQ(server.last().get_header_value("X-Api-Key"), "k");
  }
}

TEST(HttpRedirects, credentials_go_to_no_other_origin_I11) {
  const Server other([](const httplib::Request&, httplib::Response& response) {
    response.set_content("[2]", "application/json");
  });
  const Server first(redirects_to("http://x:y@127.0.0.1:" + std::to_string(other.port()) + "/o"));
  std::string with_user = first.url();
  with_user.replace(0, 7, "http://user:pass@");
  for (const Options& options :
       {Options{.url = first.url(), .bearer = [] { return "t"; }, .headers = {{"X-Api-Key", "k"}}},
        Options{.url = with_user, .headers = {{"Cookie", "c"}}}}) {
    EXPECT_EQ(outcome_of(source(options)), "[2]");
    for (const char* name : {"Authorization", "X-Api-Key", "Cookie"}) {
      EXPECT_FALSE(other.last().has_header(name)) << name;
    }
  }
  EXPECT_TRUE(first.last().has_header("Authorization"));
}

TEST(HttpRedirects, refusal_elsewhere_brings_no_new_token_there) {
  const Server other(takes_token("t"));
  const Server first(redirects_to(other.url()));
  int asked = 0;
  EXPECT_THAT(outcome_of(source(
                  {.url = first.url(), .bearer = [&] { return "t" + std::to_string(++asked); }})),
              AllOf(HasSubstr("redirected to " + other.origin() + ": answered 401"),
                    HasSubstr("are for " + first.origin() + " and were not sent there"),
                    Not(HasSubstr("t1"))));
  EXPECT_EQ(asked, 1);
}

TEST(HttpRedirects, failure_elsewhere_names_the_place_and_credentials_only_where_they_matter) {
  for (const auto& [status, secret, expected] :
       {std::tuple(403, true, true), {401, false, false}, {500, true, false}}) {
    const Server other([status = status](const httplib::Request&, httplib::Response& response) {
      response.status = status;
    });
    const Server first(redirects_to(other.url("/secret?s=secret")));
    Options options{.url = first.url()};
    if (secret) options.headers = {{"X-Api-Key", "secret"}};
    const std::string outcome = outcome_of(source(options));
    EXPECT_THAT(outcome, AllOf(HasSubstr("redirected to " + other.origin() + ": answered " +
                                         std::to_string(status)),
                               Not(HasSubstr("secret"))));
    EXPECT_EQ(outcome.find("were not sent") != std::string::npos, expected) << outcome;
  }
}

TEST(HttpRedirects, loop_ends_at_the_bound) {
  const Server server(redirects_to("/data.json"));
  EXPECT_THAT(outcome_of(source({.url = server.url(), .max_redirects = 3})),
              HasSubstr("max_redirects is 3"));
  EXPECT_EQ(server.requests().size(), 4u);
  EXPECT_THAT(outcome_of(source({.url = server.url(), .max_redirects = 0})),
              HasSubstr("answered 302"));
}

TEST(HttpRedirects, lead_to_no_other_scheme_and_no_plain_http_elsewhere) {
  for (const char* place : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/",
                            "http://h.invalid/secret?s=secret", "http://"}) {
    const Server server(redirects_to(place));
    EXPECT_THAT(
        outcome_of(source({.url = server.url()})),
        AllOf(HasSubstr("answered 302"), Not(HasSubstr("passwd")), Not(HasSubstr("secret"))))
        << place;
  }
  const Server nowhere(
      [](const httplib::Request&, httplib::Response& response) { response.status = 301; });
  EXPECT_THAT(outcome_of(source({.url = nowhere.url()})), HasSubstr("without a place to go to"));
}

// --- Options ---

std::string faults_of(Options options) {
  try {
    source(std::move(options));
  } catch (const BadConfiguration& error) {
    return error.what();
  }
  return "(accepted)";
}

TEST(HttpOptions, each_fault_names_field_and_value) {
  const std::string good = "https://h.example/";
  const auto bearer = [] { return std::string("t"); };
  EXPECT_THAT(faults_of({.url = "ftp://h.example/"}), HasSubstr("http.url: \"ftp://h.example/\""));
  EXPECT_THAT(faults_of({.url = "http://h.example/"}), HasSubstr("allow_plain_http"));
  EXPECT_THAT(faults_of({.url = good, .headers = {{"a b", ""}}}),
              HasSubstr("headers[0].name: \"a b\""));
  EXPECT_THAT(faults_of({.url = good, .headers = {{"If-None-Match", "x"}}}),
              HasSubstr("not for you to set"));
  EXPECT_THAT(faults_of({.url = good, .bearer = bearer, .headers = {{"authorization", "x"}}}),
              HasSubstr("one of them"));
  EXPECT_THAT(faults_of({.url = "https://u:p@h.example/", .bearer = bearer}),
              HasSubstr("one of them"));
  EXPECT_THAT(faults_of({.url = good, .select = "data"}), HasSubstr("http.select: \"data\""));
  EXPECT_THAT(faults_of({.url = good, .connect_timeout = 0ms}),
              HasSubstr("http.connect_timeout: 0 ms, allowed are 1 to"));
  EXPECT_THAT(faults_of({.url = good, .timeout = -1ms}), HasSubstr("http.timeout: -1 ms"));
  EXPECT_THAT(faults_of({.url = good, .max_bytes = 0}),
              HasSubstr("http.max_bytes: 0, allowed are"));
  EXPECT_THAT(faults_of({.url = good, .max_redirects = 21}), HasSubstr("http.max_redirects: 21"));
  EXPECT_THAT(faults_of({.url = good, .proxy = "ftp://p"}), HasSubstr("http.proxy: \"ftp://p\""));
  EXPECT_THAT(faults_of({.url = good, .clock = nullptr}), HasSubstr("http.clock: null"));
}

TEST(HttpOptions, all_faults_are_named_at_once_and_no_secret_I11) {
  const std::string faults = faults_of({.url = "http://u:secret@h.example/?token=secret",
                                        .headers = {{"X-Key", "secret\n"}},
                                        .select = "x",
                                        .timeout = 0ms,
                                        .proxy = "x://u:secret@p"});
  EXPECT_EQ(std::count(faults.begin(), faults.end(), '\n'), 4) << faults;
  EXPECT_THAT(faults, Not(HasSubstr("secret")));
}

TEST(HttpOptions, what_is_allowed_is_taken) {
  EXPECT_EQ(faults_of({.url = "http://localhost/"}), "(accepted)");
  EXPECT_EQ(faults_of({.url = "http://h.example/{key}", .allow_plain_http = true}), "(accepted)");
  EXPECT_EQ(faults_of({.url = "https://h.example/",
                       .headers = {{"X-Key", "a b"}},
                       .select = "/data/0",
                       .max_redirects = 0,
                       .proxy = "http://p.example:3128"}),
            "(accepted)");
}

}  // namespace
}  // namespace tiercache::http
