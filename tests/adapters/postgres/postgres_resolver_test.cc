// A resolver that hangs: names are asked of a server of our own, which is silent until told
// otherwise (tests/servers/own_resolver.sh).
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "adapters/postgres/machine.h"
#include "tiercache/testing/faulty_proxy.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShort{300};

void raise_loopback() {
  const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::string("lo").copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ASSERT_EQ(::ioctl(any, SIOCSIFFLAGS, &request), 0)
      << "run by tests/servers/own_resolver.sh PROGRAM";
  ::close(any);
}

// Takes every question; answers, once it may, that the name is 127.0.0.1.
class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(53);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::pipe(wake_.data()), 0);
    thread_ = std::thread([this] { run(); });
  }
  ~NameServer() {
    EXPECT_EQ(::write(wake_[1], "x", 1), 1);
    thread_.join();
    for (const int descriptor : {socket_, wake_[0], wake_[1]}) ::close(descriptor);
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  void answer(bool on) { answers_ = on; }
  std::uint64_t questions() const { return questions_; }

 private:
  static constexpr std::size_t kHeader = 12;

  void run() {
    for (;;) {
      std::array<pollfd, 2> polled{{{wake_[0], POLLIN, 0}, {socket_, POLLIN, 0}}};
      ::poll(polled.data(), polled.size(), -1);
      if (polled[0].revents != 0) return;
      take_one();
    }
  }
  void take_one() {
    std::array<char, 512> buffer{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto* const raw = reinterpret_cast<sockaddr*>(&from);
    const ssize_t count = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, raw, &size);
    if (count < static_cast<ssize_t>(kHeader)) return;
    ++questions_;
    if (!answers_) return;
    const std::string answer = answer_to({buffer.data(), static_cast<std::size_t>(count)});
    ::sendto(socket_, answer.data(), answer.size(), 0, raw, size);
  }
  // RFC 1035, section 4: the question again, and one address where one of IPv4 is asked for.
  static std::string answer_to(const std::string& question) {
    const std::size_t end = question.find('\0', kHeader) + 5;
    const bool wants_address = question[end - 3] == 1;
    std::string answer = question.substr(0, end);
    answer[2] = static_cast<char>(0x81);
    answer[3] = static_cast<char>(0x80);
    for (std::size_t i = 6; i < kHeader; ++i) answer[i] = 0;
    if (!wants_address) return answer;
    answer[7] = 1;
    constexpr std::array<char, 16> kRecord = {'\xc0', kHeader, 0, 1, 0,   1, 0, 0,
                                              0,      1,       0, 4, 127, 0, 0, 1};
    return answer.append(kRecord.data(), kRecord.size());
  }

  const int socket_;
  std::array<int, 2> wake_{};
  std::atomic<bool> answers_{false};
  std::atomic<std::uint64_t> questions_{0};
  std::thread thread_;
};

// The server's unix socket, which is reached from here too.
std::string socket_of(const std::string& url) {
  const std::filesystem::path pid = from_server_script("TIERCACHE_TEST_POSTGRES_PID");
  return (pid.parent_path().parent_path() / (".s.PGSQL." + std::to_string(port_of(url)))).string();
}

class PostgresBehindResolver : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { raise_loopback(); }

  PostgresBehindResolver() : proxy_(socket_of(server_url()), 0) {
    const std::string url = server_url();
    const auto at = url.find('@');
    url_ = url.substr(0, at) + "@database.test:" + std::to_string(proxy_.port()) +
           url.substr(url.rfind('/'));
  }
  std::shared_ptr<Store> opened() {
    return open({.url = url_, .connections = 2, .apply_migrations = true});
  }

  NameServer names_;
  testing::FaultyProxy proxy_;
  std::string url_;
};

TEST_F(PostgresBehindResolver, resolver_that_hangs_is_left_at_the_deadline_I7) {
  const auto store = opened();
  const LoadReply reply = load(*store, "k", in(kShort));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("deadline"), std::string::npos) << reply.message;
  EXPECT_GT(names_.questions(), 0u);
  // More calls than threads, which all hang by now.
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&store] {
      EXPECT_EQ(load(*store, "k", in(kShort)).status, StoreStatus::unavailable);
      EXPECT_EQ(save(*store, write("k", 1), in(kShort)).status, StoreStatus::unavailable)
          << "it was never sent, and never will be";
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(PostgresBehindResolver, resolver_that_answers_again_gives_the_store_back) {
  const auto store = opened();
  EXPECT_EQ(load(*store, "k", in(kShort)).status, StoreStatus::unavailable);
  names_.answer(true);
  SaveReply reply;
  for (const SteadyTime deadline = patience();
       reply.results.empty() && system_clock()->steady_now() < deadline;) {
    reply = save(*store, write("again", 1), in(milliseconds(2'000)));
  }
  EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_EQ(loaded_version(*store, "again"), version(1));
}

TEST_F(PostgresBehindResolver, cache_serves_and_keeps_what_is_put_until_names_are_found_I1_I6_I7) {
  Machine machine(opened(), [](CacheOptions& options) {
    options.store_calls.call_timeout = milliseconds(500);
  });
  machine.data().put("k", "1");
  EXPECT_EQ(machine.local("k"), "1");
  EXPECT_FALSE(machine.data().get("absent", {.deadline = kShort}).has_value());
  EXPECT_TRUE(machine.comes_true([&] { return !machine.cache().health().store.working; }));
  names_.answer(true);
  EXPECT_TRUE(machine.cache().flush(std::chrono::minutes(2)));
  EXPECT_EQ(machine.cache().stats().outbox_depth, 0u);
}

TEST_F(PostgresBehindResolver, cache_ends_while_its_threads_hang_in_the_resolver_I7) {
  Machine machine(opened(), [](CacheOptions& options) {
    options.store_calls.call_timeout = milliseconds(500);
  });
  machine.data().put("left", "1");
  EXPECT_TRUE(machine.comes_true([&] { return names_.questions() > 1; }));
  EXPECT_GE(machine.cache().close(kShort).left_in_outbox, 1u);
}

}  // namespace
}  // namespace tiercache::postgres
