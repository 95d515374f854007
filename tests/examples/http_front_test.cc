// The service over HTTP, in one process with the test.
#include "refresh_service/http_front.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/scratch.h"
#include "refresh_service/json_views.h"
#include "refresh_service/percent_encoding.h"

namespace refresh_service {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class HttpFrontTest : public ::testing::Test {
 protected:
  HttpFrontTest()
      : cache_({.project = "test", .directory = scratch_.path() / "cache"}),
        front_(cache_, datasets()),
        client_("127.0.0.1", front_.start("127.0.0.1", 0)) {
    client_.set_url_encode(false);
    client_.set_read_timeout(60s);
  }

  std::vector<DatasetConfig> datasets() {
    std::filesystem::create_directory(folder());
    DatasetConfig files;
    files.name = "files";
    files.keyed = true;
    files.source = FolderSource{folder()};
    files.fresh_for = 60s;
    files.stale_for = 1h;
    DatasetConfig notes;
    notes.name = "notes";
    notes.keyed = true;
    notes.writable = true;
    notes.checks.required = {"text"};
    DatasetConfig one;
    one.name = "one";
    one.writable = true;
    return {files, notes, one};
  }
  std::filesystem::path folder() const { return scratch_.path() / "documents"; }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder() / name, std::ios::binary) << text;
  }
  httplib::Response get(const std::string& path, const httplib::Headers& headers = {}) {
    const auto response = client_.Get(path, headers);
    EXPECT_TRUE(response) << path << ": " << httplib::to_string(response.error());
    return response ? *response : httplib::Response{};
  }
  httplib::Response put(const std::string& path, const std::string& text) {
    const auto response = client_.Put(path, text, "application/json");
    EXPECT_TRUE(response) << path << ": " << httplib::to_string(response.error());
    return response ? *response : httplib::Response{};
  }

  example::Scratch scratch_;
  tiercache::Cache cache_;
  HttpFront front_;
  httplib::Client client_;
};

TEST_F(HttpFrontTest, document_says_where_it_is_from_and_how_old) {
  write("k.json", "{ \"a\" : 1 }");
  const auto first = get("/v1/files/k");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "{ \"a\" : 1 }");
  EXPECT_EQ(first.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(first.get_header_value("X-Tiercache-Tier"), "source");
  EXPECT_EQ(first.get_header_value("X-Tiercache-Freshness"), "fresh");
  EXPECT_EQ(first.get_header_value("Age"), "0");
  EXPECT_EQ(first.get_header_value("Cache-Control"),
            "max-age=60, stale-while-revalidate=3600, stale-if-error=3600");
  EXPECT_EQ(get("/v1/files/k").get_header_value("X-Tiercache-Tier"), "memory");
}

TEST_F(HttpFrontTest, etag_saves_the_transfer_of_what_the_client_has) {
  write("k.json", "[1]");
  const std::string etag = get("/v1/files/k").get_header_value("ETag");
  EXPECT_EQ(etag, '"' + tiercache::Checksum::of("[1]").to_string() + '"');
  for (const std::string& condition : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
    const auto same = get("/v1/files/k", {{"If-None-Match", condition}});
    EXPECT_EQ(same.status, 304) << condition;
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(same.get_header_value("ETag"), etag);
  }
  EXPECT_EQ(get("/v1/files/k", {{"If-None-Match", "\"x\""}}).status, 200);
}

TEST_F(HttpFrontTest, keys_are_data) {
  for (const std::string key : {"a b", "a/b", "../x", "100%", "a?b#c", "日本語", "\"'\\", "a+b"}) {
    const std::string path = "/v1/notes/" + percent_encoded(key);
    EXPECT_EQ(put(path, R"({"text":"x"})").status, 201) << key;
    EXPECT_TRUE(cache_.dataset("notes").contains(key)) << key;
    EXPECT_EQ(get(path).body, R"({"text":"x"})") << key;
  }
}

TEST_F(HttpFrontTest, put_answers_the_receipt_once_the_write_is_safe) {
  const auto made = put("/v1/notes/k", R"({"text":"x"})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(json::parse(made.body)["journaled"], true);
  EXPECT_EQ(get("/v1/notes/k").get_header_value("X-Tiercache-Version"),
            json::parse(made.body)["version"]);
  EXPECT_EQ(put("/v1/one", "[1]").status, 201);
  EXPECT_EQ(get("/v1/one").body, "[1]");
}

TEST_F(HttpFrontTest, documents_that_are_not_acceptable_are_refused_with_the_reason) {
  for (const char* bad : {"", "{", "{\"text\":1,\"text\":2}", "\"\xff\"", "{\"other\":1}"}) {
    const auto refused = put("/v1/notes/k", bad);
    EXPECT_EQ(refused.status, 422) << bad;
    EXPECT_THAT(json::parse(refused.body)["error"], HasSubstr("Nothing was stored")) << bad;
  }
  EXPECT_EQ(get("/v1/notes/k").status, 404);
}

TEST_F(HttpFrontTest, keys_that_are_not_acceptable_are_refused) {
  EXPECT_EQ(get("/v1/notes").status, 400);
  EXPECT_EQ(get("/v1/one/key").status, 400);
  EXPECT_EQ(put("/v1/notes/" + std::string(1'025, 'k'), R"({"text":1})").status, 400);
  EXPECT_EQ(put("/v1/notes/%FF", R"({"text":1})").status, 400);
}

TEST_F(HttpFrontTest, only_writable_datasets_are_written_to) {
  const auto refused = put("/v1/files/k", "[1]");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.get_header_value("Allow"), "GET, HEAD");
  EXPECT_EQ(client_.Delete("/v1/files/k")->status, 405);
}

TEST_F(HttpFrontTest, missing_and_erased_documents_are_told_apart) {
  const auto none = get("/v1/files/none");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(json::parse(none.body)["tiers"]["source"], "not found");
  EXPECT_EQ(get("/v1/notes/none").status, 404);
  put("/v1/notes/k", R"({"text":"x"})");
  EXPECT_EQ(client_.Delete("/v1/notes/k")->status, 200);
  const auto erased = get("/v1/notes/k");
  EXPECT_EQ(erased.status, 404);
  EXPECT_EQ(json::parse(erased.body)["error"], "the document was erased");
  const auto unknown = get("/v1/nothing/k");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json::parse(unknown.body)["datasets"], json({"files", "notes", "one"}));
}

TEST_F(HttpFrontTest, when_no_tier_can_tell_it_says_what_each_said_and_when_to_come_back) {
  std::filesystem::remove_all(folder());
  const auto failed = get("/v1/files/k");
  EXPECT_EQ(failed.status, 503);
  EXPECT_EQ(failed.get_header_value("Retry-After"), "1");
  const json body = json::parse(failed.body);
  EXPECT_EQ(body["tiers"]["files"], "miss");
  EXPECT_EQ(body["tiers"]["source"], "failed");
  EXPECT_FALSE(body.contains("why"));
  EXPECT_THAT(failed.body, Not(HasSubstr(folder().string()))) << "it is for outsiders";
}

TEST_F(HttpFrontTest, health_is_bad_until_ready_and_degraded_when_a_source_fails) {
  EXPECT_EQ(get("/health").status, 503);
  EXPECT_EQ(json::parse(get("/health").body)["status"], "starting");
  front_.set_ready();
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(json::parse(get("/health").body)["status"], "ok");
  std::filesystem::remove_all(folder());
  get("/v1/files/k");
  const auto degraded = get("/health");
  EXPECT_EQ(degraded.status, 200);
  EXPECT_EQ(json::parse(degraded.body)["status"], "degraded");
  EXPECT_EQ(json::parse(degraded.body)["sources"]["files"]["working"], false);
}

TEST_F(HttpFrontTest, health_without_reasons_says_what_works_and_quotes_nobody_I11) {
  std::filesystem::remove_all(folder());
  get("/v1/files/k");
  json health = json::parse(get("/health").body);
  EXPECT_THAT(health["sources"]["files"]["why"], HasSubstr(folder().string()));
  drop_reasons(health);
  EXPECT_THAT(health.dump(), Not(HasSubstr(folder().string())));
  EXPECT_EQ(health["sources"]["files"]["working"], false);
}

TEST_F(HttpFrontTest, stats_count) {
  write("k.json", "[1]");
  get("/v1/files/k");
  get("/v1/files/k");
  const json stats = json::parse(get("/stats").body);
  EXPECT_EQ(stats["datasets"]["files"]["source_hits"], 1);
  EXPECT_EQ(stats["datasets"]["files"]["memory_hits"], 1);
  EXPECT_EQ(stats["outbox"]["depth"], 0);
}

TEST_F(HttpFrontTest, outbox_is_listed_and_settled) {
  const auto listed = get("/outbox?state=pending&dataset=notes");
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(json::parse(listed.body), (json{{"writes", json::array()}, {"more", false}}));
  EXPECT_EQ(json::parse(client_.Post("/outbox/retry")->body)["done"], 0);
  EXPECT_EQ(json::parse(client_.Post("/outbox/discard?dataset=notes")->body)["done"], 0);
}

TEST_F(HttpFrontTest, after_close_what_memory_holds_is_served_and_the_rest_refused) {
  put("/v1/notes/k", R"({"text":"x"})");
  cache_.close();
  EXPECT_EQ(get("/v1/notes/k").status, 200);
  EXPECT_EQ(get("/v1/notes/other").status, 503);
  EXPECT_EQ(put("/v1/notes/k", R"({"text":"y"})").status, 503);
}

}  // namespace
}  // namespace refresh_service
