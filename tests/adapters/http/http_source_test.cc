// The refresh callback against a good server: what it sends, and what answers become.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "adapters/http/servers.h"
#include "tiercache/entry.h"
#include "tiercache/error.h"
#include "tiercache/http.h"
#include "tiercache/json.h"

namespace tiercache::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;
using nlohmann::json;
using testing::context_for;
using testing::entry_of;
using testing::error_of;
using testing::Server;
using Document = Refreshed<std::string>;

auto ask(const Source& source, RefreshContext context = context_for()) {
  RefreshAnswer<std::string> answer = source(context);
  return answer.get();
}

Document document_from(const Source& source, RefreshContext context = context_for()) {
  return std::get<Document>(ask(source, std::move(context)));
}

Server::Handler serves(const std::string& body, const std::string& type = "application/json") {
  return [=](const httplib::Request&, httplib::Response& response) {
    response.set_content(body, type);
  };
}

Server::Handler fails(int status, const std::string& retry_after = {}) {
  return [=](const httplib::Request&, httplib::Response& response) {
    response.status = status;
    if (!retry_after.empty()) response.set_header("Retry-After", retry_after);
    response.set_content("secret body", "text/plain");
  };
}

// --- What is sent ---

TEST(HttpSource, document_comes_byte_for_byte) {
  const Server server(serves(" {\"a\" : 1.50}\n"));
  EXPECT_EQ(document_from(source({.url = server.url()})).value, " {\"a\" : 1.50}\n");
}

TEST(HttpSource, says_who_asks_and_what_it_takes) {
  const Server server(serves("[1]"));
  document_from(source({.url = server.url(), .headers = {{"X-Api-Key", "k"}}}));
  const auto request = server.last();
  EXPECT_THAT(request.get_header_value("User-Agent"), HasSubstr("tiercache/"));
  EXPECT_EQ(request.get_header_value("Accept"), "application/json");
  EXPECT_THAT(request.get_header_value("Accept-Encoding"), HasSubstr("gzip"));
  EXPECT_EQ(request.get_header_value("X-Api-Key"), "k");
  EXPECT_FALSE(request.has_header("Authorization"));
}

TEST(HttpSource, headers_of_the_options_replace_its_own) {
  const Server server(serves("[1]"));
  document_from(
      source({.url = server.url(), .headers = {{"User-Agent", "me"}, {"accept", "x/y"}}}));
  EXPECT_EQ(server.last().get_header_value("User-Agent"), "me");
  EXPECT_EQ(server.last().get_header_value_count("Accept"), 1u);
  EXPECT_EQ(server.last().get_header_value("Accept"), "x/y");
}

TEST(HttpSource, key_stands_encoded_in_its_place) {
  const Server server(serves("[1]"));
  const Source by_key = source({.url = server.url("/v1/{key}?again={key}")});
  document_from(by_key, context_for("a b/c&é"));
  EXPECT_EQ(server.last().target, "/v1/a%20b%2Fc%26%C3%A9?again=a%20b%2Fc%26%C3%A9");
}

TEST(HttpSource, key_that_would_leave_its_place_is_not_found_and_not_asked_for_I12) {
  const Server server(serves("[1]"));
  const Source by_key = source({.url = server.url("/v1/{key}")});
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(by_key, context_for("../admin"))));
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(by_key, context_for(".."))));
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpSource, keyed_dataset_and_url_must_agree) {
  const Server server(serves("[1]"));
  EXPECT_THAT(error_of(source({.url = server.url("/{key}")})), HasSubstr("not keyed"));
  EXPECT_THAT(error_of(source({.url = server.url()}), context_for("k")), HasSubstr("no {key}"));
}

TEST(HttpSource, connection_is_used_again) {
  const Server server(serves("[1]"));
  const Source one = source({.url = server.url()});
  const Source copy = one;
  for (int i = 0; i < 5; ++i) document_from(i % 2 ? one : copy);
  EXPECT_EQ(server.requests().size(), 5u);
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpSource, connection_is_used_again_after_many_short_error_pages) {
  const Server server([](const httplib::Request&, httplib::Response& response) {
    response.status = 404;
    response.set_content(std::string(20 << 10, 'x'), "text/html");
  });
  const Source one = source({.url = server.url()});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(std::holds_alternative<NotFound>(ask(one)));
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpSource, many_threads_may_ask_at_once) {
  const Server server(serves("[1]"));
  const Source by_key = source({.url = server.url("/{key}")});
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const auto key = std::to_string(t) + "-" + std::to_string(i);
        if (document_from(by_key, context_for(key)).value == "[1]") ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
  EXPECT_EQ(server.requests().size(), 200u);
}

// --- Conditional requests ---

Server::Handler serves_with_validators(const std::string& etag, const std::string& modified = {}) {
  return [=](const httplib::Request& request, httplib::Response& response) {
    response.set_header("ETag", etag);
    if (!modified.empty()) response.set_header("Last-Modified", modified);
    if (request.get_header_value("If-None-Match") == etag ||
        (!modified.empty() && request.get_header_value("If-Modified-Since") == modified)) {
      response.status = 304;
      return;
    }
    response.set_content("[1]", "application/json");
  };
}

TEST(HttpConditions, validators_are_kept_and_save_the_transfer) {
  const std::string modified = "Sun, 06 Nov 1994 08:49:37 GMT";
  const Server server(serves_with_validators("W/\"v1\"", modified));
  const Source one = source({.url = server.url()});
  const Document first = document_from(one);
  EXPECT_EQ(json::parse(first.metadata)["etag"], "W/\"v1\"");
  EXPECT_EQ(json::parse(first.metadata)["last_modified"], modified);
  const auto again = ask(one, context_for("", entry_of("[1]", first.metadata)));
  EXPECT_EQ(std::get<NotModified>(again).metadata, "");
  EXPECT_EQ(server.last().get_header_value("If-None-Match"), "W/\"v1\"");
  EXPECT_EQ(server.last().get_header_value("If-Modified-Since"), modified);
}

TEST(HttpConditions, validators_of_another_url_or_part_are_not_sent) {
  const Server server(serves_with_validators("\"v1\""));
  const auto known = entry_of("[1]", document_from(source({.url = server.url()})).metadata);
  EXPECT_EQ(document_from(source({.url = server.url("/other")}), context_for("", known)).value,
            "[1]");
  EXPECT_EQ(
      document_from(source({.url = server.url(), .select = "/0"}), context_for("", known)).value,
      "1");
  for (const auto& request : server.requests()) EXPECT_FALSE(request.has_header("If-None-Match"));
}

TEST(HttpConditions, metadata_of_others_cannot_put_headers_into_a_request) {
  const Server server(serves_with_validators("\"v1\""));
  const Source one = source({.url = server.url()});
  json metadata = json::parse(document_from(one).metadata);
  metadata["etag"] = "\"v\"\r\nX-Evil: 1";
  metadata["last_modified"] = "\x01";
  ask(one, context_for("", entry_of("[1]", metadata.dump())));
  EXPECT_FALSE(server.last().has_header("X-Evil"));
  EXPECT_FALSE(server.last().has_header("If-None-Match"));
  EXPECT_FALSE(server.last().has_header("If-Modified-Since"));
}

TEST(HttpConditions, validators_that_a_304_brings_replace_the_old_ones_alone) {
  const Server server([](const httplib::Request& request, httplib::Response& response) {
    const bool known = request.has_header("If-None-Match");
    response.set_header("ETag", known ? "\"v2\"" : "\"v1\"");
    response.status = known ? 304 : 200;
    if (!known) response.set_content("[1]", "application/json");
  });
  const Source one = source({.url = server.url()});
  json metadata = json::parse(document_from(one).metadata);
  metadata["mine"] = 7;
  const auto again = ask(one, context_for("", entry_of("[1]", metadata.dump())));
  metadata["etag"] = "\"v2\"";
  EXPECT_EQ(json::parse(std::get<NotModified>(again).metadata), metadata);
}

TEST(HttpConditions, server_that_knows_no_validators_leaves_no_metadata) {
  const Server server(serves("[1]"));
  EXPECT_EQ(document_from(source({.url = server.url()})).metadata, "{}");
}

TEST(HttpConditions, not_modified_to_an_unconditional_request_is_an_error) {
  const Server server(fails(304));
  EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("unconditional"));
}

// --- What answers become ---

TEST(HttpAnswers, gone_and_absent_are_not_found) {
  for (const int status : {404, 410}) {
    const Server server(fails(status));
    EXPECT_TRUE(std::holds_alternative<NotFound>(ask(source({.url = server.url()})))) << status;
  }
}

TEST(HttpAnswers, retry_after_is_taken_over_from_whatever_fails) {
  for (const int status : {400, 401, 403, 408, 413, 425, 429, 500, 502, 503, 504}) {
    const Server server(fails(status, "7"));
    try {
      ask(source({.url = server.url()}));
      FAIL() << status;
    } catch (const RetryAfter& later) {
      EXPECT_EQ(later.delay(), 7s);
      EXPECT_THAT(later.what(), HasSubstr("answered " + std::to_string(status)));
    }
  }
}

TEST(HttpAnswers, retry_after_with_no_failure_or_unreadable_is_an_ordinary_failure) {
  for (const auto& [status, value] :
       {std::pair(201, "7"), {300, "7"}, {503, "soon"}, {403, "-1"}, {429, ""}}) {
    const Server server(fails(status, value));
    try {
      ask(source({.url = server.url()}));
      FAIL() << status;
    } catch (const RetryAfter&) {
      FAIL() << status << " " << value;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("answered " + std::to_string(status)));
    }
  }
}

TEST(HttpAnswers, failure_is_named_without_secrets_and_body_I11) {
  for (const int status : {201, 204, 206, 300, 400, 401, 403, 405, 418, 500, 502, 504}) {
    const Server server(fails(status));
    std::string url = server.url("/x/{key}?token=secret&a=1");
    url.replace(0, 7, "http://user:secret@");
    const std::string error =
        error_of(source({.url = url, .headers = {{"X-Api-Key", "secret"}}}), context_for("k"));
    EXPECT_THAT(error, AllOf(HasSubstr("answered " + std::to_string(status)),
                             HasSubstr("/x/{key}?token=…&a=…"), Not(HasSubstr("secret"))));
  }
}

TEST(HttpAnswers, page_or_nothing_with_200_is_named) {
  const Server page(serves("\n<!DOCTYPE html><p>secret", "text/html"));
  EXPECT_THAT(error_of(source({.url = page.url()})),
              AllOf(HasSubstr("HTML"), Not(HasSubstr("secret"))));
  const Server nothing(serves(" \n"));
  EXPECT_THAT(error_of(source({.url = nothing.url()})), HasSubstr("without a document"));
}

TEST(HttpAnswers, json_of_a_wrong_content_type_is_taken_and_its_mark_dropped) {
  const Server server(serves("\xEF\xBB\xBF[1]", "text/html"));
  EXPECT_EQ(document_from(source({.url = server.url()})).value, "[1]");
}

TEST(HttpAnswers, part_that_is_selected_is_the_document) {
  const Server server(serves(R"({"data":{"items":[1, 2]},"page":1})"));
  EXPECT_EQ(document_from(source({.url = server.url(), .select = "/data/items"})).value, "[1, 2]");
  EXPECT_THAT(error_of(source({.url = server.url(), .select = "/data/rows"})),
              HasSubstr("nothing at /data/rows"));
}

struct Quote {
  std::string currency;
  double rate = 0;
};
[[maybe_unused]] void to_json(nlohmann::json& out, const Quote& rate) {
  out = {{"currency", rate.currency}, {"rate", rate.rate}};
}
void from_json(const nlohmann::json& in, Quote& rate) {
  in.at("currency").get_to(rate.currency);
  in.at("rate").get_to(rate.rate);
}

TEST(HttpAnswers, typed_dataset_gets_the_decoded_value) {
  const Server server(serves_with_validators("\"v1\""));
  const std::function<RefreshAnswer<std::vector<int>>(RefreshContext&)> typed =
      source({.url = server.url()});
  auto context = context_for();
  auto answer = typed(context);
  const auto& refreshed = std::get<Refreshed<std::vector<int>>>(answer.get());
  EXPECT_EQ(refreshed.value, std::vector<int>{1});
  auto later = context_for("", entry_of("[1]", refreshed.metadata));
  EXPECT_TRUE(std::holds_alternative<NotModified>(typed(later).get()));
}

TEST(HttpAnswers, value_that_does_not_decode_is_named_without_its_text_I11) {
  const auto error = [](const std::string& body) -> std::string {
    const Server server(serves(body));
    const std::function<RefreshAnswer<Quote>(RefreshContext&)> typed =
        source({.url = server.url()});
    try {
      auto context = context_for();
      typed(context);
    } catch (const std::exception& caught) {
      return caught.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(error(R"({"currency":"secret"})"),
              AllOf(HasSubstr("rate"), Not(HasSubstr("secret"))));
  EXPECT_THAT(error(R"({"currency":secret)"),
              AllOf(HasSubstr("not valid JSON"), Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace tiercache::http
