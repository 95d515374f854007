// The service as a program: how it starts, what it says, how it ends.
#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/scratch.h"
#include "refresh_service/local_server.h"
#include "tour/child.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using tour::Child;

class ServiceProgram : public ::testing::Test {
 protected:
  json config() const {
    return {{"listen", {{"port", 0}}},
            {"directory", (scratch_.path() / "cache").string()},
            {"project", "test"},
            {"store", "sqlite:" + (scratch_.path() / "store.db").string()},
            {"datasets", {{{"name", "notes"}, {"keyed", true}, {"writable", true}}}}};
  }
  std::vector<std::string> command(const json& content) const {
    const auto file = scratch_.path() / "config.json";
    std::ofstream(file) << content.dump();
    return {TIERCACHE_REFRESH_SERVICE, "--config", file.string()};
  }
  std::filesystem::path log() const { return scratch_.path() / "log"; }
  std::string logged() const {
    std::ifstream in(log());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  example::Scratch scratch_;
};

TEST_F(ServiceProgram, sigterm_closes_with_a_receipt_and_no_loss) {
  {
    Child service(command(config()), log());
    httplib::Client client(service.wait_for_line("listening on "));
    EXPECT_EQ(client.Put("/v1/notes/k", "[1]", "application/json")->status, 201);
    EXPECT_EQ(service.terminate(), 0);
    const std::string receipt = service.wait_for_line("closed: ");
    EXPECT_THAT(receipt, HasSubstr("left in the outbox 0"));
    EXPECT_THAT(receipt, HasSubstr("dropped 0"));
  }
  Child service(command(config()), log());
  httplib::Client client(service.wait_for_line("listening on "));
  EXPECT_EQ(client.Get("/v1/notes/k")->body, "[1]");
}

TEST_F(ServiceProgram, bad_configuration_is_explained_and_nothing_is_made) {
  json bad = config();
  bad["listen"]["port"] = 99999;
  bad["datasets"][0]["every"] = "often";
  Child service(command(bad), log());
  EXPECT_EQ(service.wait(), 2);
  EXPECT_THAT(logged(), HasSubstr("config.json"));
  EXPECT_THAT(logged(), HasSubstr("listen.port = 99999: must be a whole number from 0"));
  EXPECT_THAT(logged(), HasSubstr("datasets[0].every = \"often\": must be a duration"));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "cache"));
}

TEST_F(ServiceProgram, store_without_credentials_is_warned_of_once_and_told_by_health) {
  const auto variables = scratch_.path() / "variables";
  std::ofstream(variables) << "SUPABASE_ENABLED=true\nCACHE_TTL_SECONDS=7\n";
  auto with_file = command(config());
  with_file.insert(with_file.end(), {"--env-file", variables.string()});
  Child service(with_file, log());
  httplib::Client client(service.wait_for_line("listening on "));
  const json health = json::parse(client.Get("/health")->body);
  EXPECT_EQ(health["store"]["enabled"], false);
  EXPECT_THAT(health["store"]["why"], HasSubstr("DATABASE_URL is not set"));
  EXPECT_EQ(client.Put("/v1/notes/k", "[1]", "application/json")->status, 201);
  EXPECT_EQ(service.terminate(), 0);
  const std::string text = logged();
  const auto first = text.find("DATABASE_URL");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("DATABASE_URL", first + 1), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "store.db"));
}

TEST_F(ServiceProgram, bad_variable_or_store_is_explained_and_nothing_is_made) {
  const auto variables = scratch_.path() / "variables";
  std::ofstream(variables) << "BACKGROUND_RETRY=perhaps\n";
  for (const auto& [flag, value, why] :
       {std::array<std::string, 3>{"--env-file", variables.string(),
                                   "BACKGROUND_RETRY = \"perhaps\""},
        {"--store", "mysql://u:hidden@h/d", "--store must be \"sqlite:PATH\""}}) {
    auto with_flag = command(config());
    with_flag.insert(with_flag.end(), {flag, value});
    Child service(with_flag, log());
    EXPECT_EQ(service.wait(), 2);
    EXPECT_THAT(logged(), HasSubstr(why));
    EXPECT_THAT(logged(), Not(HasSubstr("hidden")));
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "cache"));
}

TEST_F(ServiceProgram, directory_that_cannot_be_used_is_explained) {
  json bad = config();
  std::ofstream(scratch_.path() / "cache") << "a file";
  Child service(command(bad), log());
  EXPECT_EQ(service.wait(), 1);
  EXPECT_THAT(logged(), HasSubstr((scratch_.path() / "cache").string()));
}

TEST_F(ServiceProgram, port_that_is_taken_is_explained) {
  refresh_service::LocalServer other;
  json taken = config();
  taken["listen"]["port"] = other.start("127.0.0.1", 0);
  Child service(command(taken), log());
  EXPECT_EQ(service.wait(), 1);
  EXPECT_THAT(logged(), HasSubstr("cannot listen on 127.0.0.1 port"));
}

// What examples/run.sh prints for people to paste.
std::vector<std::string> printed_requests() {
  std::ifstream in(TIERCACHE_SOURCE_DIR "/examples/run.sh");
  std::vector<std::string> requests;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("  curl ")) requests.push_back(line);
  }
  return requests;
}

std::string run_in_bash(const std::string& script, const std::filesystem::path& output) {
  const auto file = output.string() + ".sh";
  std::ofstream(file) << script;
  const int status = std::system(("bash " + file + " >" + output.string() + " 2>&1").c_str());
  std::ifstream in(output);
  return "status " + std::to_string(status) + '\n' +
         std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST_F(ServiceProgram, every_request_that_run_sh_prints_works_as_printed) {
  const std::string documents = "/usr/share/iso-codes/json";
  if (!std::filesystem::exists(documents)) GTEST_SKIP() << "iso-codes is not installed";
  Child upstream({TIERCACHE_REFRESH_SERVICE, "--upstream-from", documents}, log());
  const std::string upstream_url = upstream.wait_for_line("upstream on ");
  std::ifstream in(TIERCACHE_SOURCE_DIR "/examples/refresh_service/iso_codes.json");
  json printed = json::parse(in);
  printed["listen"]["port"] = 0;
  printed["directory"] = config()["directory"];
  printed["store"] = config()["store"];
  printed["datasets"][1]["source"]["http"] = upstream_url + "/iso_4217.json";
  Child service(command(printed), log());
  const std::string url = service.wait_for_line("listening on ");
  httplib::Client client(url);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (json::parse(client.Get("/health")->body)["status"] == "starting") {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  const auto requests = printed_requests();
  ASSERT_GE(requests.size(), 5u);
  for (std::string request : requests) {
    for (const auto& [from, to] :
         {std::pair<std::string, std::string>{"http://127.0.0.1:8080", url},
          {"http://127.0.0.1:8081", upstream_url}}) {
      for (auto at = request.find(from); at != std::string::npos; at = request.find(from, at)) {
        request.replace(at, from.size(), to);
        at += to.size();
      }
    }
    const std::string answer = run_in_bash(
        "curl() { command curl --silent --show-error --fail --max-time 3 \"$@\"; }\nset -e\n" +
            request + '\n',
        scratch_.path() / "answer");
    EXPECT_TRUE(answer.starts_with("status 0\n")) << request << '\n' << answer;
  }
}

TEST_F(ServiceProgram, without_anything_to_do_it_says_how_it_is_used) {
  Child service({TIERCACHE_REFRESH_SERVICE}, log());
  EXPECT_EQ(service.wait(), 2);
  EXPECT_THAT(logged(), HasSubstr("--config"));
}

}  // namespace
