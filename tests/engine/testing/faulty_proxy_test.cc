// The proxy by itself, in front of a server that repeats what it hears: a test that relies on a
// fault must be able to rely on the fault's coming.
#include "tiercache/testing/faulty_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tiercache::testing {
namespace {

// How long a test waits for what must come; what must not come is given the time of a detour
// instead.
constexpr int kPatienceMs = 60'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool readable(int socket, int patience_ms = kPatienceMs) {
  pollfd polled{socket, POLLIN, 0};
  return ::poll(&polled, 1, patience_ms) == 1;
}

// Repeats what each connection says, and ends what its client ends.
class EchoServer {
 public:
  EchoServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, raw, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::pipe(wake_.data()), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~EchoServer() {
    EXPECT_EQ(::write(wake_[1], "x", 1), 1);
    thread_.join();
    for (const int socket : {listener_, wake_[0], wake_[1]}) ::close(socket);
    for (const int socket : clients_) ::close(socket);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint64_t bytes_heard() const { return heard_; }

 private:
  void run() {
    for (;;) {
      std::vector<pollfd> polled{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const int client : clients_) polled.push_back({client, POLLIN, 0});
      ::poll(polled.data(), polled.size(), -1);
      if (polled[0].revents != 0) return;
      for (std::size_t i = 2; i < polled.size(); ++i) {
        if (polled[i].revents != 0) repeat(polled[i].fd);
      }
      if (polled[1].revents != 0) clients_.push_back(::accept(listener_, nullptr, nullptr));
    }
  }
  void repeat(int client) {
    std::array<char, 4096> buffer{};
    const ssize_t count = ::recv(client, buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      ::close(client);
      std::erase(clients_, client);
      return;
    }
    heard_ += static_cast<std::uint64_t>(count);
    ::send(client, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
  }

  const int listener_;
  std::uint16_t port_ = 0;
  std::array<int, 2> wake_{};
  std::vector<int> clients_;  // of the thread alone
  std::atomic<std::uint64_t> heard_{0};
  std::thread thread_;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = loopback(port);
    connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int socket() const { return socket_; }
  bool say(const std::string& text) {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // As many bytes as that, or as come before the end.
  std::string hear(std::size_t size) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (text.size() < size && readable(socket_)) {
      const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (count <= 0) {
        broke_ = count < 0 && errno == ECONNRESET;
        break;
      }
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  // Ended by a reset, as far as `hear` came.
  bool broke() const { return broke_; }

 private:
  int socket_;
  bool connected_ = false;
  bool broke_ = false;
};

class FaultyProxyTest : public ::testing::Test {
 protected:
  // The proxy is one thread: what was sent before this has been looked at when the answer comes.
  void detour() {
    Client client(proxy_.port());
    ASSERT_TRUE(client.say("detour"));
    ASSERT_EQ(client.hear(6), "detour");
  }

  EchoServer server_;
  FaultyProxy proxy_{"127.0.0.1", server_.port()};
};

TEST_F(FaultyProxyTest, what_works_arrives_whole_in_both_directions) {
  Client client(proxy_.port());
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>('a' + i % 26);
  std::thread speaker([&] { EXPECT_TRUE(client.say(text)); });
  EXPECT_EQ(client.hear(text.size()), text);
  speaker.join();
  EXPECT_EQ(proxy_.connections(), 1u);
}

TEST_F(FaultyProxyTest, end_of_a_connection_is_passed_on) {
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("x"));
  ASSERT_EQ(client.hear(1), "x");
  ::shutdown(client.socket(), SHUT_WR);
  EXPECT_EQ(client.hear(1), "");
  EXPECT_FALSE(client.broke());
}

TEST_F(FaultyProxyTest, refused_connections_end_in_a_reset_those_that_stand_too) {
  Client standing(proxy_.port());
  ASSERT_TRUE(standing.say("x"));
  ASSERT_EQ(standing.hear(1), "x");
  proxy_.set(Network::refuses);
  EXPECT_EQ(standing.hear(1), "");
  EXPECT_TRUE(standing.broke());
  Client later(proxy_.port());
  later.say("x");
  EXPECT_EQ(later.hear(1), "");
  proxy_.set(Network::works);
  detour();
}

TEST_F(FaultyProxyTest, swallowed_bytes_reach_nobody_then_or_later) {
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("1"));
  ASSERT_EQ(client.hear(1), "1");
  proxy_.set(Network::swallows);
  ASSERT_TRUE(client.say("lost"));
  // The proxy says when it has taken the bytes: nothing of the connection is left to be read.
  Client other(proxy_.port());
  ASSERT_TRUE(other.connected());
  while (proxy_.connections() < 2) {
  }
  proxy_.set(Network::works);
  detour();
  EXPECT_FALSE(readable(client.socket(), 0));
  ASSERT_TRUE(client.say("2"));
  EXPECT_EQ(client.hear(1), "2");
}

TEST_F(FaultyProxyTest, swallowed_answers_were_asked_for_at_the_server) {
  Client client(proxy_.port());
  proxy_.set(Network::swallows_answers);
  ASSERT_TRUE(client.say("asked"));
  while (server_.bytes_heard() < 5) {
  }
  EXPECT_FALSE(readable(client.socket(), 0));
}

TEST_F(FaultyProxyTest, end_is_swallowed_with_the_rest) {
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("x"));
  ASSERT_EQ(client.hear(1), "x");
  proxy_.hang_standing();
  ::shutdown(client.socket(), SHUT_WR);
  detour();
  detour();
  EXPECT_FALSE(readable(client.socket(), 0)) << "the server was told, and hung up";
}

TEST_F(FaultyProxyTest, hung_connection_hangs_for_ever_and_new_ones_work) {
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("x"));
  ASSERT_EQ(client.hear(1), "x");
  proxy_.hang_standing();
  ASSERT_TRUE(client.say("y"));
  detour();
  detour();
  EXPECT_FALSE(readable(client.socket(), 0));
  EXPECT_EQ(server_.bytes_heard(), 1u + 2 * 6u);
}

TEST_F(FaultyProxyTest, reset_comes_after_so_many_bytes_of_answers_and_those_before_arrive) {
  proxy_.reset_after_answers(3);
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("abcdef"));
  const std::string heard = client.hear(6);
  EXPECT_TRUE(client.broke());
  EXPECT_TRUE(std::string("abc").starts_with(heard)) << "a reset may overtake what was not read";
  proxy_.reset_after_answers(0);
  detour();
}

TEST_F(FaultyProxyTest, reset_of_requests_lets_the_server_see_so_many_bytes_and_no_more) {
  proxy_.reset_after_requests(3);
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("abcdef"));
  client.hear(6);
  EXPECT_TRUE(client.broke());
  EXPECT_LE(server_.bytes_heard(), 3u);
  proxy_.reset_after_requests(0);
  detour();
}

TEST_F(FaultyProxyTest, limit_counts_from_when_it_is_set) {
  Client client(proxy_.port());
  ASSERT_TRUE(client.say("0123456789"));
  ASSERT_EQ(client.hear(10), "0123456789");
  proxy_.reset_after_answers(5);
  ASSERT_TRUE(client.say("abc"));
  EXPECT_EQ(client.hear(3), "abc");
  ASSERT_TRUE(client.say("def"));
  client.hear(3);
  EXPECT_TRUE(client.broke());
}

TEST(FaultyProxyStart, address_that_is_no_number_is_refused) {
  EXPECT_THROW(FaultyProxy("localhost", 1), std::runtime_error);
}

TEST(FaultyProxyStart, unix_socket_of_nobody_resets_the_client_and_one_too_long_is_refused) {
  FaultyProxy proxy("/nowhere/socket", 0);
  Client client(proxy.port());
  client.say("x");
  EXPECT_EQ(client.hear(1), "");
  EXPECT_THROW(FaultyProxy("/" + std::string(200, 'x'), 0), std::runtime_error);
}

TEST(FaultyProxyStart, server_that_is_not_there_resets_the_client) {
  std::uint16_t port = 0;
  {
    const EchoServer gone;
    port = gone.port();
  }
  FaultyProxy proxy("127.0.0.1", port);
  Client client(proxy.port());
  client.say("x");
  EXPECT_EQ(client.hear(1), "");
}

}  // namespace
}  // namespace tiercache::testing
