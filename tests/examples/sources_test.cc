// The service's sources as refresh callbacks, against a folder and its own upstream; and the
// checks.
#include "refresh_service/sources.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <fstream>

#include "common/scratch.h"
#include "refresh_service/document_checks.h"
#include "refresh_service/upstream.h"

namespace refresh_service {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;
using tiercache::Entry;
using tiercache::EntryPtr;
using tiercache::NotFound;
using tiercache::NotModified;
using tiercache::RefreshContext;
using Document = tiercache::Refreshed<std::string>;

class Sources : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(scratch_.path() / name, std::ios::binary) << text;
  }
  static RefreshContext context(const std::string& key, EntryPtr previous = nullptr) {
    const auto deadline = tiercache::system_clock()->steady_now() + 20s;
    return {{"data", key}, std::move(previous), false, tiercache::kNever, deadline};
  }
  static EntryPtr entry(const std::string& text, const std::string& metadata = "{}") {
    auto made = std::make_shared<Entry>();
    made->document = std::make_shared<const std::string>(text);
    made->checksum = tiercache::Checksum::of(text);
    made->metadata = metadata;
    return made;
  }
  static auto ask(const Source& source, RefreshContext context) {
    auto answer = source(context);
    return answer.get();
  }
  Source folder(bool keyed) const {
    DatasetConfig config;
    config.keyed = keyed;
    config.source = FolderSource{scratch_.path()};
    return make_source(config);
  }

  example::Scratch scratch_;
};

TEST_F(Sources, folder_gives_the_file_of_the_key_or_of_the_dataset) {
  write("k 1.json", "[1]");
  write("data.json", "[2]");
  EXPECT_EQ(std::get<Document>(ask(folder(true), context("k 1"))).value, "[1]");
  EXPECT_EQ(std::get<Document>(ask(folder(false), context(""))).value, "[2]");
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(folder(true), context("k 2"))));
}

TEST_F(Sources, folder_says_not_modified_for_the_same_bytes) {
  write("k.json", "[1]");
  EXPECT_TRUE(std::holds_alternative<NotModified>(ask(folder(true), context("k", entry("[1]")))));
  EXPECT_TRUE(std::holds_alternative<Document>(ask(folder(true), context("k", entry("[2]")))));
}

TEST_F(Sources, no_key_leaves_the_folder) {
  std::filesystem::create_directory(scratch_.path() / "inner");
  write("secret.json", "[1]");
  DatasetConfig config;
  config.source = FolderSource{scratch_.path() / "inner"};
  const Source source = make_source(config);
  for (const std::string key : {"../secret", "..", ".", "/etc/passwd", "a/b", ".secret"}) {
    EXPECT_TRUE(std::holds_alternative<NotFound>(ask(source, context(key)))) << key;
  }
}

TEST_F(Sources, folder_that_is_away_fails) {
  DatasetConfig config;
  config.source = FolderSource{scratch_.path() / "unmounted"};
  EXPECT_THROW(ask(make_source(config), context("k")), std::runtime_error);
}

TEST_F(Sources, dataset_without_a_source_has_no_callback) {
  EXPECT_FALSE(make_source(DatasetConfig{}));
}

class HttpSources : public Sources {
 protected:
  HttpSources() : upstream_(std::in_place, scratch_.path()), port_(upstream_->start(0)) {}

  Source http(const std::string& target) const {
    DatasetConfig config;
    config.source = HttpSource{.url = "http://127.0.0.1:" + std::to_string(port_) + target};
    return make_source(config);
  }
  void post(const std::string& target) const {
    httplib::Client client("127.0.0.1", port_);
    EXPECT_EQ(client.Post(target)->status, 200);
  }
  std::string error_of(const std::string& target) const {
    try {
      ask(http(target), context(""));
    } catch (const std::exception& error) {
      return error.what();
    }
    return "(none)";
  }

  std::optional<Upstream> upstream_;
  const int port_;
};

TEST_F(HttpSources, document_comes_with_its_etag_which_later_saves_the_transfer) {
  write("a b%.json", "[1]");
  const auto first = std::get<Document>(ask(http("/{key}.json"), context("a b%")));
  EXPECT_EQ(first.value, "[1]");
  EXPECT_THAT(first.metadata, HasSubstr("etag"));
  const auto known = entry("[1]", first.metadata);
  EXPECT_TRUE(
      std::holds_alternative<NotModified>(ask(http("/{key}.json"), context("a b%", known))));
  write("a b%.json", "[2]");
  EXPECT_EQ(std::get<Document>(ask(http("/{key}.json"), context("a b%", known))).value, "[2]");
}

TEST_F(HttpSources, what_the_upstream_lacks_is_not_found) {
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(http("/{key}.json"), context("none"))));
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(http("/{key}"), context("../etc/passwd"))));
}

TEST_F(HttpSources, retry_after_is_taken_over) {
  for (const std::string status : {"429", "503"}) {
    post("/_fail?status=" + status + "&retry_after=7");
    try {
      ask(http("/x.json"), context(""));
      FAIL() << status;
    } catch (const tiercache::RetryAfter& error) {
      EXPECT_EQ(error.delay(), 7s);
      EXPECT_THAT(error.what(), HasSubstr("answered " + status));
    }
  }
}

TEST_F(HttpSources, other_failures_fail_and_say_what_was_asked) {
  post("/_fail?status=500&retry_after=7");
  EXPECT_THAT(error_of("/x.json"), HasSubstr("/x.json: answered 500"));
  post("/_fail?status=503&retry_after=tomorrow");
  EXPECT_THAT(error_of("/x.json"), HasSubstr("answered 503"));
  post("/_heal");
  EXPECT_TRUE(std::holds_alternative<NotFound>(ask(http("/x.json"), context(""))));
  upstream_.reset();
  EXPECT_THAT(error_of("/x.json"), HasSubstr("/x.json: "));
}

TEST_F(HttpSources, upstream_counts_its_calls) {
  write("a.json", "[1]");
  ask(http("/a.json?for=x"), context(""));
  ask(http("/a.json?for=x"), context(""));
  ask(http("/b.json"), context(""));
  httplib::Client client("127.0.0.1", port_);
  const std::string calls = client.Get("/_calls")->body;
  EXPECT_THAT(calls, HasSubstr("\"total\": 3"));
  EXPECT_THAT(calls, HasSubstr("\"/a.json?for=x\": 2"));
}

// --- Checks ---

// Why a document is refused; empty when it is taken.
std::string refusal(const Checks& checks, const std::string& document) {
  try {
    const auto validate = make_validate(checks);
    EXPECT_TRUE(validate(document));
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

TEST(ServiceChecks, none_means_no_function) {
  EXPECT_FALSE(make_validate({}));
}

TEST(ServiceChecks, not_empty_refuses_what_holds_nothing) {
  const Checks checks{.not_empty = true, .required = {}, .min_items = 0};
  for (const char* empty : {"null", "[]", "{}", "\"\""}) {
    EXPECT_THAT(refusal(checks, empty), HasSubstr("empty")) << empty;
  }
  for (const char* full : {"0", "false", "[null]", "{\"a\":null}", "\"x\""}) {
    EXPECT_EQ(refusal(checks, full), "") << full;
  }
}

TEST(ServiceChecks, required_members_are_of_the_object_or_of_every_item) {
  const Checks checks{.not_empty = false, .required = {"a", "b"}, .min_items = 0};
  EXPECT_EQ(refusal(checks, R"({"a":1,"b":2,"c":3})"), "");
  EXPECT_EQ(refusal(checks, R"([{"a":1,"b":2},{"b":1,"a":2}])"), "");
  EXPECT_THAT(refusal(checks, R"({"a":1})"), HasSubstr("\"b\" is missing"));
  EXPECT_THAT(refusal(checks, R"([{"a":1,"b":2},{"b":1}])"), HasSubstr("\"a\" is missing"));
  EXPECT_THAT(refusal(checks, "7"), HasSubstr("\"a\" is missing"));
}

TEST(ServiceChecks, min_items_counts_items_or_members) {
  const Checks checks{.not_empty = false, .required = {}, .min_items = 2};
  EXPECT_EQ(refusal(checks, "[1,2]"), "");
  EXPECT_EQ(refusal(checks, R"({"a":1,"b":2})"), "");
  EXPECT_THAT(refusal(checks, "[1]"), HasSubstr("1 item, fewer than 2"));
  EXPECT_THAT(refusal(checks, "\"long text\""), HasSubstr("0 items"));
}

}  // namespace
}  // namespace refresh_service
