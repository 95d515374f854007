#include "base/log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/fake_clock.h"

namespace tiercache {
namespace {

class Logs : public ::testing::Test {
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

TEST_F(Logs, what_was_left_out_is_said_in_the_next_line_of_its_kind) {
  Log log(logger_, clock_);
  for (int round = 0; round < 5; ++round) log.warn(LogTopic::store, "down {}", round);
  EXPECT_EQ(written(), "warning down 0\n");
  clock_.steady_ms += 999;
  log.warn(LogTopic::store, "down {}", 5);
  EXPECT_EQ(written(), "");
  clock_.steady_ms += 1;
  log.warn(LogTopic::store, "down {}", 6);
  EXPECT_EQ(written(), "warning down 6 (5 more like this left out before)\n");
}

TEST_F(Logs, pauses_grow_to_a_minute_while_messages_keep_coming_and_begin_anew_after_quiet) {
  Log log(logger_, clock_);
  std::vector<int> at;
  const auto warn = [&](int second) {
    log.warn(LogTopic::store, "down");
    if (!written().empty()) at.push_back(second);
  };
  for (int second = 0; second < 200; ++second, clock_.steady_ms += 1'000) warn(second);
  EXPECT_EQ(at, (std::vector<int>{0, 1, 3, 7, 15, 31, 63, 123, 183}));
  at.clear();
  clock_.steady_ms += 103'000;
  for (int second = 0; second < 3; ++second, clock_.steady_ms += 1'000) warn(second);
  EXPECT_EQ(at, (std::vector<int>{0, 1}));
}

TEST_F(Logs, subjects_are_limited_apart) {
  Log log(logger_, clock_);
  for (const char* dataset : {"prices", "quotas", "prices", "prices", "quotas"}) {
    log.warn(LogTopic::data, LogSubject{dataset}, "dataset {}: broken", dataset);
  }
  EXPECT_EQ(written(), "warning dataset prices: broken\nwarning dataset quotas: broken\n");
  clock_.steady_ms += 1'000;
  log.warn(LogTopic::data, LogSubject{"prices"}, "dataset {}: broken", "prices");
  EXPECT_EQ(written(), "warning dataset prices: broken (2 more like this left out before)\n");
}

TEST_F(Logs, line_breaks_stay_within_the_line) {
  Log log(logger_, clock_);
  log.warn(LogTopic::store, "{}", "ERROR: x\nLINE 1\r\x1b[31m");
  EXPECT_EQ(written(), "warning ERROR: x LINE 1  [31m\n");
}

TEST_F(Logs, kinds_beyond_the_bound_share_one_pace_and_quiet_ones_are_forgotten_I8) {
  Log log(logger_, clock_);
  const auto warn = [&](int kind) {
    log.warn(LogTopic::data, LogSubject{std::to_string(kind)}, "{}", kind);
  };
  const int most = static_cast<int>(Log::kMostKinds);
  for (int kind = 0; kind < most; ++kind) warn(kind);
  warn(0);
  written();
  warn(most);
  warn(most + 1);
  warn(most + 2);
  EXPECT_EQ(written(), "warning 1000\n") << "of all beyond the bound one line a second";
  clock_.steady_ms += 1'000;
  warn(most + 3);
  EXPECT_EQ(written(), "warning 1003 (2 more like this left out before)\n");
  clock_.steady_ms += 1'000;  // by now those of the beginning have been quiet
  warn(most + 4);
  EXPECT_EQ(written(), "warning 1004 (1 of other kinds left out before)\n");
  warn(most + 5);
  EXPECT_EQ(written(), "warning 1005\n");
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
  const auto tell = [&](const char* what) { log.info(LogTopic::store, "{}", what); };
  tell("a");
  logger_->set_level(spdlog::level::info);
  tell("b");
  EXPECT_EQ(written(), "info b\n");
}

TEST_F(Logs, errors_of_several_subjects_are_limited_apart) {
  Log log(logger_, clock_);
  for (const char* dataset : {"prices", "quotas", "prices"}) {
    log.error(LogTopic::data, LogSubject{dataset}, "dataset {}: lost", dataset);
  }
  EXPECT_EQ(written(), "error dataset prices: lost\nerror dataset quotas: lost\n");
}

TEST_F(Logs, what_a_quiet_kind_left_out_is_said_by_that_kind_while_there_is_room_for_all) {
  Log log(logger_, clock_);
  for (int round = 0; round < 3; ++round) log.warn(LogTopic::store, "down");
  clock_.steady_ms += 3'600'000;
  log.warn(LogTopic::store, "another kind");
  log.warn(LogTopic::store, "down");
  EXPECT_EQ(written(),
            "warning down\nwarning another kind\n"
            "warning down (2 more like this left out before)\n");
}

TEST_F(Logs, line_of_its_own_pace_needs_no_logger) {
  Log(nullptr, clock_).say(spdlog::level::warn, "fails");
  Log(logger_, clock_).say(spdlog::level::warn, "fails");
  EXPECT_EQ(written(), "warning fails\n");
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
  EXPECT_EQ(written(), "warning full (3999 more like this left out before)\n");
}

}  // namespace
}  // namespace tiercache
