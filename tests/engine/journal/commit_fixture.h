// A journal whose disk may be refused or interrupted in the middle of a commit.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {

class CommitTest : public OpenJournalTest {
 protected:
  // Queues it; its answer is in `answers` under its key.
  void append(Record record) {
    const std::string key = record.id.key;
    journal().append(std::move(record), [this, key](const AppendResult& result) {
      EXPECT_FALSE(answers.contains(key)) << "answered twice";
      answers[key] = result;
    });
  }
  // Once, in the middle of the next operation of this name.
  void meanwhile(const std::string& operation, std::function<void()> then) {
    auto met = std::make_shared<bool>(false);
    disk.on_operation([this, met, operation, then](std::uint64_t, const std::string& what) {
      if (!what.starts_with(operation) || std::exchange(*met, true)) return;
      ++interruptions;
      then();
    });
  }
  void fail(const std::string& operation, int error, int times) {
    auto left = std::make_shared<int>(times);
    disk.set_fault([=](const std::string& name, const std::string&) {
      return name == operation && (*left)-- > 0 ? error : 0;
    });
  }
  void reopen(bool kill = true) {
    if (kill) log.kill();
    ASSERT_TRUE(log.open().ok());
  }
  void open_with_room_for(std::uint64_t bytes) {
    log.options.max_bytes = bytes;
    ASSERT_TRUE(log.open().ok());
  }
  std::uint64_t live_bytes() { return journal().stats().live_bytes; }

  std::map<std::string, AppendResult> answers;
  int interruptions = 0;
};

}  // namespace tiercache::testing
