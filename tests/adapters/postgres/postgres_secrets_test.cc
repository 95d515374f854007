// What servers, libpq and libpqxx say of a connection, without its password.
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

// Asks for the password in clear text, and answers with an error that quotes it.
class TellTale {
 public:
  TellTale() : listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listening_, 16), 0);
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TellTale() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  TellTale(const TellTale&) = delete;
  TellTale& operator=(const TellTale&) = delete;

  std::string port() const { return std::to_string(port_); }
  std::string heard() const { return heard_; }  // once a call has ended

 private:
  static std::string read_some(int socket) {
    char bytes[4096];
    const ssize_t got = ::read(socket, bytes, sizeof bytes);
    return {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  static void send(int socket, const std::string& bytes) {
    EXPECT_EQ(::write(socket, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  static std::string message(char type, const std::string& body) {
    const std::uint32_t size = htonl(static_cast<std::uint32_t>(body.size() + 4));
    return type + std::string(reinterpret_cast<const char*>(&size), 4) + body;
  }

  void serve() {
    for (int socket; (socket = ::accept(listening_, nullptr, nullptr)) >= 0; ::close(socket)) {
      // A request for TLS or GSS is eight bytes long.
      while (read_some(socket).size() == 8) send(socket, "N");
      send(socket, message('R', std::string("\0\0\0\3", 4)));
      const std::string answer = read_some(socket);
      if (answer.size() < 6) continue;
      heard_ = answer.substr(5, answer.size() - 6);
      const std::string text = "SFATAL" + std::string(1, '\0') + "C28P01" + std::string(1, '\0') +
                               "Mno such password: " + heard_ + std::string(2, '\0');
      send(socket, message('E', text));
    }
  }

  const int listening_;
  int port_ = 0;
  std::string heard_;
  std::thread thread_;
};

void expect_unseen(const std::string& url, TellTale& server, const std::string& password) {
  const auto store = open(url);
  const LoadReply reply = load(*store, "k");
  EXPECT_EQ(server.heard(), password) << "the server was not told what it should tell";
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("no such password"), std::string::npos) << reply.message;
  for (const std::string& text : {store->describe(), reply.message}) {
    EXPECT_EQ(text.find(password), std::string::npos) << text;
  }
  const auto watch = store->watch_changes("p", [] {});
  for (const SteadyTime deadline = patience(); watch->state().kind == HintState::Kind::starting &&
                                               system_clock()->steady_now() < deadline;) {
  }
  EXPECT_NE(watch->state().why, "");
  EXPECT_EQ(watch->state().why.find(password), std::string::npos) << watch->state().why;
}

TEST(PostgresSecrets, password_of_the_url_that_a_server_quotes_is_not_told_I11) {
  TellTale server;
  expect_unseen("postgres://app:hun%2Fter2@127.0.0.1:" + server.port() + "/db", server, "hun/ter2");
  expect_unseen("host=127.0.0.1 user=app dbname=db password='hunter 2' port=" + server.port(),
                server, "hunter 2");
  expect_unseen("postgres://app@127.0.0.1:" + server.port() + "/db?password=hunter2", server,
                "hunter2");
}

TEST(PostgresSecrets, password_of_the_environment_that_a_server_quotes_is_not_told_I11) {
  TellTale server;
  ASSERT_EQ(::setenv("PGPASSWORD", "hunter2", 1), 0);
  expect_unseen("postgres://app@127.0.0.1:" + server.port() + "/db", server, "hunter2");
  ::unsetenv("PGPASSWORD");
}

TEST(PostgresSecrets, service_that_cannot_be_read_is_not_quoted_I11) {
  const auto file = std::filesystem::temp_directory_path() / "tiercache-services";
  std::ofstream(file) << "[here]\nhost=127.0.0.1\npassword=hunter2\nhunter2\nport=hunter2\n";
  ASSERT_EQ(::setenv("PGSERVICEFILE", file.c_str(), 1), 0);
  const LoadReply reply = load(*open("service=here"), "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_EQ(reply.message.find("hunter2"), std::string::npos) << reply.message;
  ::unsetenv("PGSERVICEFILE");
  std::filesystem::remove(file);
}

// The texts of errors that somebody's trigger raises quote what they like.
TEST(PostgresSecrets, data_in_an_error_of_a_trigger_is_not_told_I11) {
  ScratchDatabase database;
  const auto store = open({.url = database.url(), .apply_migrations = true});
  ASSERT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  Outsider admin(database.admin());
  admin.run(
      "create function public.raise() returns trigger language plpgsql as $$ begin "
      "raise exception 'not this: %', new.data; end $$");
  admin.run(
      "create trigger strict before insert or update on tiercache.cache_storage "
      "for each row execute function public.raise()");
  const SaveReply reply = save(*store, write("k", 2, "\"hunter2\""));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("P0001"), std::string::npos) << reply.message;
  EXPECT_NE(reply.message.find("trigger"), std::string::npos) << reply.message;
  EXPECT_EQ(reply.message.find("hunter2"), std::string::npos) << reply.message;
}

}  // namespace
}  // namespace tiercache::postgres
