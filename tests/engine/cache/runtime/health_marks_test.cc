// The marks of an open cache: each has words and a state of its own.
#include "cache/runtime/health_marks.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/timed_log.h"

namespace tiercache::detail {
namespace {

using testing::TimedLog;

class HealthMarksTest : public ::testing::Test {
 protected:
  // The line that a mark's first failure leaves in the log, and the one of its recovery.
  std::string lines(HealthMark& mark) {
    mark.failed("why");
    mark.worked();
    return log->taken();
  }
  std::vector<HealthMark*> all() {
    return {&marks.directory, &marks.file_reads, &marks.file_writes, &marks.file_syncs,
            &marks.journal,   &marks.adoption,   &marks.store,       &marks.saves,
            &marks.feed,      &marks.hints};
  }

  const std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kStart);
  const std::shared_ptr<TimedLog> log = std::make_shared<TimedLog>(clock);
  Log logger{TimedLog::logger(log), *clock};
  HealthMarks marks{logger, *clock};
};

TEST_F(HealthMarksTest, failure_of_one_hides_no_other_and_is_hidden_by_none_I13) {
  for (HealthMark* failing : all()) {
    failing->failed("why");
    for (HealthMark* mark : all()) {
      if (mark != failing) mark->worked();
      EXPECT_EQ(mark->read().working, mark != failing);
    }
    failing->worked();
  }
}

TEST_F(HealthMarksTest, promise_at_risk_is_an_error_and_what_goes_on_otherwise_a_warning) {
  for (HealthMark* mark : {&marks.directory, &marks.file_syncs, &marks.journal, &marks.adoption}) {
    EXPECT_NE(lines(*mark).find(" s error "), std::string::npos);
  }
  for (HealthMark* mark :
       {&marks.file_reads, &marks.file_writes, &marks.store, &marks.saves, &marks.feed}) {
    EXPECT_NE(lines(*mark).find(" s warning "), std::string::npos);
  }
  EXPECT_NE(lines(marks.hints).find(" s info hearing the store's hints of changes fails"),
            std::string::npos)
      << "polls notice all that hints do";
}

TEST_F(HealthMarksTest, line_of_a_failure_says_what_fails_and_what_goes_on_meanwhile) {
  const std::vector<std::pair<HealthMark*, std::string>> expected{
      {&marks.directory, "making the deleted directory anew fails: why; what memory has is served"},
      {&marks.file_reads, "reading entry files fails: why; memory, store and sources are asked"},
      {&marks.file_writes,
       "writing entry files fails: why; what is not in them is served from memory and kept in the "
       "journal"},
      {&marks.file_syncs, "syncing entry files fails: why; the journal keeps what is in them"},
      {&marks.journal, "journaling fails: why; a write goes to the store, or throws"},
      {&marks.adoption, "taking over what a stopped cache left fails: why\n"},
      {&marks.store,
       "the store fails: why; reads go on from memory and files, writes wait in the journal"},
      {&marks.saves,
       "sending a write that the store does not answer for, alone fails: why; others go on, and "
       "it is tried again with more time"},
      {&marks.feed, "noticing other machines' writes fails: why; they are noticed late"},
      {&marks.hints, "hearing the store's hints of changes fails: why; polls alone notice changes"},
  };
  for (const auto& [mark, line] : expected) {
    const std::string written = lines(*mark);
    EXPECT_NE(written.find(line), std::string::npos) << written;
  }
}

}  // namespace
}  // namespace tiercache::detail
