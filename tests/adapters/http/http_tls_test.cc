// TLS, with an authority that the test makes by the openssl command.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adapters/http/servers.h"
#include "lib/working_directory.h"
#include "tiercache/http.h"

namespace tiercache::http {
namespace {

using testing::context_for;
using ::testing::HasSubstr;
using testing::Server;

class HttpTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "tiercache-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    make_authority("ca");
    make_authority("other");
    make_certificate("good", "IP:127.0.0.1", "");
    make_certificate("elsewhere", "DNS:elsewhere.example", "");
    make_certificate("expired", "IP:127.0.0.1", "-days -1");
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string file(const std::string& name) { return (folder_ / name).string(); }
  static void run(const std::string& arguments) {
    const std::string command = "openssl " + arguments + " >" + file("log") + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void make_authority(const std::string& name) {
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" +
        name + " -keyout " + file(name + ".key") + " -out " + file(name + ".pem"));
  }
  static void make_certificate(const std::string& name, const std::string& names,
                               const std::string& validity) {
    std::ofstream(file(name + ".ext")) << "subjectAltName=" << names << "\n";
    run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout " +
        file(name + ".key") + " -out " + file(name + ".csr"));
    run("x509 -req -in " + file(name + ".csr") + " -CA " + file("ca.pem") + " -CAkey " +
        file("ca.key") + " -CAcreateserial -extfile " + file(name + ".ext") + " -out " +
        file(name + ".pem") + " " + (validity.empty() ? "-days 2" : validity));
  }
  static std::unique_ptr<Server> serve(const std::string& certificate, Server::Handler handler) {
    return std::make_unique<Server>(std::move(handler), std::make_unique<httplib::SSLServer>(
                                                            file(certificate + ".pem").c_str(),
                                                            file(certificate + ".key").c_str()));
  }
  static Source source_of(const Server& server, const std::string& ca_file) {
    return source({.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/data.json",
                   .headers = {{"X-Api-Key", "secret"}},
                   .ca_file = ca_file});
  }
  static std::string outcome_of(const Server& server, const std::string& ca_file) {
    return outcome_of(source_of(server, ca_file));
  }
  static std::string outcome_of(const Source& one) {
    try {
      auto context = context_for();
      RefreshAnswer<std::string> answer = one(context);
      return std::get<Refreshed<std::string>>(answer.get()).value;
    } catch (const std::exception& error) {
      return error.what();
    }
  }
  static void serve_one(const httplib::Request&, httplib::Response& response) {
    response.set_content("[1]", "application/json");
  }

  static inline std::filesystem::path folder_;
};

TEST_F(HttpTls, certificate_of_the_authority_in_ca_file_is_taken) {
  EXPECT_EQ(outcome_of(*serve("good", serve_one), file("ca.pem")), "[1]");
}

TEST_F(HttpTls, ca_file_stays_where_it_was_named) {
  const auto server = serve("good", serve_one);
  const tiercache::testing::WorkingDirectory here(folder_);
  const Source named = source_of(*server, "ca.pem");
  here.go("/");
  EXPECT_EQ(outcome_of(named), "[1]");
}

TEST_F(HttpTls, server_that_cannot_prove_itself_is_asked_nothing) {
  for (const auto& [certificate, authority] :
       {std::pair("good", "other.pem"), {"elsewhere", "ca.pem"}, {"expired", "ca.pem"}}) {
    const auto server = serve(certificate, serve_one);
    EXPECT_THAT(outcome_of(*server, file(authority)), HasSubstr("SSL")) << certificate;
    EXPECT_TRUE(server->requests().empty()) << certificate;
  }
  const auto server = serve("good", serve_one);
  EXPECT_THAT(outcome_of(*server, ""), HasSubstr("SSL")) << "the system's authorities";
  EXPECT_TRUE(server->requests().empty());
}

TEST_F(HttpTls, ca_file_that_is_not_there_is_named) {
  EXPECT_THAT(outcome_of(*serve("good", serve_one), file("none.pem")), HasSubstr("none.pem"));
}

TEST_F(HttpTls, redirect_to_plain_http_is_not_followed) {
  const Server plain(serve_one);
  const auto server = serve("good", [&](const httplib::Request&, httplib::Response& response) {
    response.set_redirect(plain.url());
  });
  EXPECT_THAT(outcome_of(*server, file("ca.pem")),
              HasSubstr("leads from https to http://127.0.0.1"));
  EXPECT_TRUE(plain.requests().empty());
}

TEST_F(HttpTls, plain_server_on_an_https_url_is_an_error) {
  const Server plain(serve_one);
  EXPECT_THAT(outcome_of(plain, file("ca.pem")), HasSubstr("SSL"));
}

}  // namespace
}  // namespace tiercache::http
