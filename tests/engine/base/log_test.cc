#include "base/log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <thread>
#include <vector>

#include "engine/base/fake_clock.h"

namespace tiercache {
namespace {

class Logs : public testing::Test {
 protected:
  Logs() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(written_);
    logger_ = std::make_shared<spdlog::logger>("test", sink);
    logger_->set_pattern("%l %v");
  }
  // What was written since the last call.
  std::string written() {
    std::string text = written_.str();
    written_.str("");
    return text;
  }

  FakeClock clock_;
  std::ostringstream written_;
  std::shared_ptr<spdlog::logger> logger_;
};

TEST_F(Logs, each_level_writes_its_level) {
  Log log(logger_, clock_);
  log.error(LogTopic::journal, "lost {}", 1);
  log.warn(LogTopic::journal, "slow {}", "disk");
  log.info(LogTopic::journal, "open");
  EXPECT_EQ(written(), "error lost 1\nwarning slow disk\ninfo open\n");
}

TEST_F(Logs, without_a_logger_nothing_happens) {
  Log log(nullptr, clock_);
  log.error(LogTopic::data, "lost {}", 1);
  EXPECT_EQ(written(), "");
}

TEST_F(Logs, second_message_within_a_second_is_left_out_and_counted) {
  Log log(logger_, clock_);
  for (int round = 0; round < 5; ++round) log.warn(LogTopic::store, "down {}", round);
  EXPECT_EQ(written(), "warning down 0\n");
  clock_.steady_ms += 999;
  log.warn(LogTopic::store, "down");
  EXPECT_EQ(written(), "");
  clock_.steady_ms += 1;
  log.warn(LogTopic::store, "still down");
  EXPECT_EQ(written(), "warning still down\nwarning (5 more messages like this were left out)\n");
  clock_.steady_ms += 1'000;
  log.warn(LogTopic::store, "again");
  EXPECT_EQ(written(), "warning again\n");
}

TEST_F(Logs, topics_and_levels_are_limited_apart) {
  Log log(logger_, clock_);
  log.warn(LogTopic::store, "a");
  log.error(LogTopic::store, "b");
  log.warn(LogTopic::files, "c");
  EXPECT_EQ(written(), "warning a\nerror b\nwarning c\n");
}

TEST_F(Logs, message_under_the_loggers_level_does_not_close_the_gate) {
  Log log(logger_, clock_);
  logger_->set_level(spdlog::level::warn);
  log.info(LogTopic::store, "a");
  logger_->set_level(spdlog::level::info);
  log.info(LogTopic::store, "b");
  EXPECT_EQ(written(), "info b\n");
}

TEST_F(Logs, of_many_threads_one_writes_and_none_is_forgotten) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1'000;
  Log log(logger_, clock_);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&log] {
      for (int round = 0; round < kEach; ++round) log.warn(LogTopic::outbox, "full");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(written(), "warning full\n");
  clock_.steady_ms += 1'000;
  log.warn(LogTopic::outbox, "full");
  EXPECT_EQ(written(), "warning full\nwarning (3999 more messages like this were left out)\n");
}

}  // namespace
}  // namespace tiercache
