// A database of its own, and a reader of its change feed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {

class PostgresChanges : public ::testing::Test {
 protected:
  PostgresChanges()
      : store_(open({.url = database_.url(), .apply_migrations = true, .keep_changes = {}})) {
    cursor_ = read("").next;
  }

  ChangesReply read(const std::string& cursor, std::size_t limit = 100) {
    ChangesReply reply = store_->changes("p", cursor, limit, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    return reply;
  }
  // The keys told since the last call.
  std::vector<std::string> new_keys() {
    std::vector<std::string> keys;
    const ChangesReply reply = read(cursor_);
    EXPECT_FALSE(reply.gap);
    for (const StoreChange& change : reply.changes) keys.push_back(change.id.key);
    cursor_ = reply.next;
    return keys;
  }

  using Keys = std::vector<std::string>;

  ScratchDatabase database_;
  std::shared_ptr<Store> store_;
  std::string cursor_;
};

}  // namespace tiercache::postgres
