// What the caller of a write is told of it, and never more than is known (I13).
#include "cache/writing/write_receipts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/said.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

using Status = ChangeResult::Status;
using How = Settled::How;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Said;
using testing::said_by;
using ::testing::StartsWith;

// "journaled", "stored", "superseded", "in doubt", in this order, and the version.
std::string told(const PutReceipt& receipt) {
  std::string text;
  if (receipt.journaled) text += "journaled ";
  if (receipt.stored) text += "stored ";
  if (receipt.superseded) text += "superseded ";
  if (receipt.in_doubt) text += "in doubt ";
  return text + receipt.version.to_string();
}

class WriteReceiptsTest : public ::testing::Test {
 protected:
  template <class Kind>
  Said thrown_for(Status status) {
    return said_by<Kind>([&] { receipt_or_throw(data, result_of(status, version(5), "why")); });
  }
  static std::optional<NotDurable::State> state_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const NotDurable& error) {
      return error.state();
    }
    return std::nullopt;
  }
  OutboxWrite written() const { return written_as(data, "k", version(5), RecordKind::content); }
  Said too_late() {
    return said_by<DeadlineExceeded>([&] { throw_not_stored_in_time(outlook, data, written()); });
  }

  Ground ground;
  WritingRoom room{ground};
  DatasetState& data = ground.open();
  const StoreOutlook outlook{ground.runtime, room.store.calls, room.store.identity,
                             room.store_writer};
};

// --- Written, or not ---

TEST_F(WriteReceiptsTest, receipt_says_where_the_write_is_and_nowhere_else_I13) {
  const auto receipt = [&](Status status) {
    return told(receipt_or_throw(data, result_of(status, version(5))));
  };
  EXPECT_EQ(receipt(Status::durable), "journaled 5-1");
  EXPECT_EQ(receipt(Status::stored), "stored 5-1");
  EXPECT_EQ(receipt(Status::superseded), "superseded 5-1");
}

TEST_F(WriteReceiptsTest, exception_is_of_the_kind_that_says_what_there_is_now_I13) {
  const auto of = [&](Status status) {
    return [this, status] { receipt_or_throw(data, result_of(status, version(5))); };
  };
  EXPECT_THAT(thrown_for<VersionConflict>(Status::conflict).what, HasSubstr("dataset \"d\": why."));
  EXPECT_THAT(thrown_for<NotDurable>(Status::full).what, HasSubstr("was refused: why."));
  EXPECT_THAT(thrown_for<NotDurable>(Status::in_the_way).what, HasSubstr("was not applied: why."));
  for (const Status status : {Status::full, Status::not_applied, Status::in_the_way}) {
    EXPECT_EQ(state_of(of(status)), NotDurable::State::not_applied);
  }
  EXPECT_EQ(state_of(of(Status::unknown)), NotDurable::State::unknown);
}

TEST_F(WriteReceiptsTest, what_the_disk_said_is_in_the_details_alone_I11) {
  for (const Status status : {Status::not_applied, Status::unknown}) {
    const Said said = thrown_for<NotDurable>(status);
    EXPECT_THAT(said.what, Not(HasSubstr("why")));
    EXPECT_EQ(said.details, "why");
  }
}

TEST_F(WriteReceiptsTest,
       write_that_may_appear_later_is_named_by_its_version_where_it_has_one_I13) {
  EXPECT_THAT(thrown_for<NotDurable>(Status::unknown).what, HasSubstr("later, as version 5-1."));
  const Said unstamped =
      said_by<NotDurable>([&] { receipt_or_throw(data, result_of(Status::unknown, Version{})); });
  EXPECT_THAT(unstamped.what, HasSubstr("It may appear later."));
}

// Who decides by a result asks these, so they must agree with what the caller is told.
TEST_F(WriteReceiptsTest, result_that_succeeded_gets_a_receipt_and_every_other_an_exception_I13) {
  for (const Status status :
       {Status::durable, Status::stored, Status::conflict, Status::superseded, Status::full,
        Status::not_applied, Status::in_the_way, Status::unknown}) {
    SCOPED_TRACE(static_cast<int>(status));
    const ChangeResult result = result_of(status, version(5), "why");
    std::optional<PutReceipt> receipt;
    try {
      receipt = receipt_or_throw(data, result);
    } catch (const Error&) {
    }
    EXPECT_EQ(result.succeeded(), receipt.has_value());
    EXPECT_EQ(result.is_made(), receipt && !receipt->superseded);
    EXPECT_EQ(result.is_journaled(), receipt && receipt->journaled);
    EXPECT_EQ(result.is_in_doubt(), receipt_of_item(result).in_doubt);
  }
}

// --- One of many ---

TEST_F(WriteReceiptsTest, item_of_many_is_told_the_same_without_an_exception_I13) {
  const auto item = [](Status status) {
    const PutReceipt receipt = receipt_of_item(result_of(status, version(5), "why"));
    EXPECT_EQ(receipt.why, "why");
    return told(receipt);
  };
  EXPECT_EQ(item(Status::durable), "journaled 5-1");
  EXPECT_EQ(item(Status::stored), "stored 5-1");
  EXPECT_EQ(item(Status::superseded), "superseded 5-1");
  EXPECT_EQ(item(Status::unknown), "in doubt 5-1");
  const std::string nowhere = Version{}.to_string();
  for (const Status status :
       {Status::conflict, Status::full, Status::not_applied, Status::in_the_way}) {
    EXPECT_EQ(item(status), nowhere) << "a version that nothing has";
  }
}

TEST_F(WriteReceiptsTest, of_many_that_failed_one_that_may_appear_later_is_told_before_all_others) {
  const ChangeResult full = result_of(Status::full, {}, "full");
  const ChangeResult doubtful = result_of(Status::unknown, version(7));
  const Said first = said_by<NotDurable>([&] { throw_none_written(data, {full, full}); });
  EXPECT_THAT(first.what, StartsWith("values[0]: "));
  const Said doubt = said_by<NotDurable>([&] {
    throw_none_written(data, {full, doubtful, doubtful});
  });
  EXPECT_THAT(doubt.what, StartsWith("values[1]: "));
  EXPECT_THAT(doubt.what, HasSubstr("version 7-1"));
}

// --- What the store has of it ---

TEST_F(WriteReceiptsTest, write_is_listed_by_the_kind_of_its_record) {
  EXPECT_EQ(written().id, kId);
  EXPECT_EQ(written().version, version(5));
  EXPECT_EQ(written().kind, OutboxKind::document);
  const auto kind = [&](RecordKind of) { return written_as(data, "k", version(5), of).kind; };
  EXPECT_EQ(kind(RecordKind::clocks), OutboxKind::clocks);
  EXPECT_EQ(kind(RecordKind::erase_matching), OutboxKind::erase_matching);
}

TEST_F(WriteReceiptsTest, verdict_of_the_store_is_added_to_the_receipt_I13) {
  const PutReceipt journaled = receipt_or_throw(data, result_of(Status::durable, version(5)));
  const auto settled = [&](const Settled& verdict) {
    const std::string receipt = told(settled_or_throw(data, journaled, verdict));
    EXPECT_EQ(told(settled_receipt(journaled, verdict)), receipt);
    return receipt;
  };
  EXPECT_EQ(settled({.how = How::stored}), "journaled stored 5-1");
  EXPECT_EQ(settled({.how = How::superseded}), "journaled superseded 5-1");
  EXPECT_EQ(settled({.how = How::superseded, .in_doubt = true}),
            "journaled superseded in doubt 5-1");
}

TEST_F(WriteReceiptsTest, refused_write_and_one_that_the_cache_closed_before_are_in_no_store_I13) {
  const PutReceipt journaled = receipt_or_throw(data, result_of(Status::durable, version(5)));
  const Settled refused{.how = How::refused, .in_doubt = false, .why = "no such table"};
  const Said parked = said_by<NotDurable>([&] { settled_or_throw(data, journaled, refused); });
  EXPECT_THAT(parked.what, HasSubstr("it is parked"));
  EXPECT_THAT(parked.what, Not(HasSubstr("no such table"))) << "what() quotes no server";
  EXPECT_EQ(parked.details, "no such table");
  EXPECT_EQ(state_of([&] { settled_or_throw(data, journaled, refused); }),
            NotDurable::State::unknown);
  EXPECT_EQ(told(settled_receipt(journaled, refused)), "journaled 5-1");
  EXPECT_EQ(settled_receipt(journaled, refused).why, "the store refused it: no such table");

  const Settled closed{.how = How::closed};
  const Said left = said_by<Closed>([&] { settled_or_throw(data, journaled, closed); });
  EXPECT_THAT(left.what, HasSubstr("version 5-1"));
  EXPECT_EQ(told(settled_receipt(journaled, closed)), "journaled 5-1");
  EXPECT_EQ(settled_receipt(journaled, closed).why, "the cache was closed first");
}

// --- Not in time ---

TEST_F(WriteReceiptsTest, write_that_is_late_is_sent_until_the_store_takes_it_I13) {
  const Said said = too_late();
  EXPECT_THAT(said.what, HasSubstr("as version 5-1"));
  EXPECT_THAT(said.what, HasSubstr("stays in the outbox, and is sent until"));
  EXPECT_EQ(said.details, "no answer to this write had come by then");
  EXPECT_EQ(not_stored_in_time(outlook, written()),
            "the store has not confirmed it in time (" + said.details +
                "); it stays in the outbox, and is sent until the store takes it, has a newer one "
                "or refuses it for good");
}

TEST_F(WriteReceiptsTest, store_that_is_away_is_quoted_in_the_details_alone_I11_I13) {
  ground.store_does(StoreFault::unavailable);
  while (!room.store.calls.breaker()->state().open) {
    room.store.calls.load({&kId, 1}, kNever, Breaker::Urgency::forced);
  }
  const Said said = too_late();
  EXPECT_EQ(said.details, "the store: fault asked for by the test");
  EXPECT_THAT(said.what, Not(HasSubstr("fault asked for")));
}

TEST_F(WriteReceiptsTest, outbox_that_waits_for_another_store_is_told_with_both_their_names_I13) {
  room.local.belong_to_another_store();
  room.store.calls.load({&kId, 1}, kNever, Breaker::Urgency::forced);
  const Said said = too_late();
  EXPECT_THAT(said.what, HasSubstr("the store is another one than the directory belongs to"));
  EXPECT_THAT(said.details, HasSubstr("belongs to the store (incarnation another life)"));
  EXPECT_THAT(said.details, HasSubstr("this one is memory (incarnation 1)"));
}

TEST_F(WriteReceiptsTest, without_background_retries_it_waits_for_a_flush) {
  Ground without([](CacheOptions& options) { options.flags.background_retry = false; });
  WritingRoom its(without);
  const StoreOutlook its_outlook{without.runtime, its.store.calls, its.store.identity,
                                 its.store_writer};
  EXPECT_THAT(not_stored_in_time(its_outlook, written()),
              HasSubstr("waits in the outbox for Cache::flush"));
}

TEST_F(WriteReceiptsTest, write_whose_base_is_not_confirmed_is_not_applied_I13) {
  const auto call = [&] { throw_base_unconfirmed(outlook, data, written()); };
  EXPECT_EQ(state_of(call), NotDurable::State::not_applied);
  const Said said = said_by<NotDurable>(call);
  EXPECT_THAT(said.what, HasSubstr("the version that it is compared with"));
  EXPECT_EQ(said.details, "no answer to this write had come by then");
}

}  // namespace
}  // namespace tiercache::detail
