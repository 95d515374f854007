// What every kind of trouble with the server must leave true of a whole cache: reads that can be
// served are served, calls end, and once the trouble is over everything that was written is in the
// store.
#pragma once

#include <functional>
#include <string>

#include "adapters/postgres/machine.h"

namespace tiercache::postgres {

// What must be so right after `begin`, before anything else happens.
inline void expect_survived(Machine& machine, const std::function<void()>& begin,
                            const std::function<void()>& end, const std::string& document,
                            const std::shared_ptr<Store>& checked_by) {
  const auto key = [](int i) { return "k" + std::to_string(i); };
  const std::string before = "\"before\"";
  for (int i = 0; i < 10; ++i) machine.data().put(key(i), before);
  ASSERT_TRUE(machine.cache().flush(std::chrono::minutes(2)));
  begin();
  EXPECT_EQ(machine.local(key(0)), before) << "I6";
  for (int i = 0; i < 9; ++i) machine.data().put(key(i), document);
  machine.data().erase(key(9));
  EXPECT_EQ(machine.local(key(0)), document) << "I6";
  EXPECT_TRUE(machine.comes_true([&] { return !machine.cache().health().store.working; }));
  EXPECT_NE(machine.cache().health().store.why, "");
  machine.data().get("nowhere", {.deadline = std::chrono::milliseconds(200)});  // I7: comes back
  end();
  EXPECT_TRUE(machine.cache().flush(std::chrono::minutes(2))) << machine.cache().health().store.why;
  EXPECT_EQ(machine.cache().stats().outbox_depth, 0u) << "I1";
  EXPECT_EQ(machine.cache().health().parked, 0u);
  for (int i = 0; i < 9; ++i) {
    const LoadReply row = load(*checked_by, key(i));
    ASSERT_EQ(row.status, StoreStatus::ok) << row.message;
    ASSERT_TRUE(row.entries[0]) << "I1: " << key(i);
    EXPECT_EQ(row.entries[0]->checksum, Checksum::of(document)) << "I1: " << key(i);
  }
  const LoadReply gone = load(*checked_by, key(9));
  ASSERT_TRUE(gone.status == StoreStatus::ok && gone.entries[0]);
  EXPECT_EQ(gone.entries[0]->kind, EntryKind::tombstone) << "I4";
}

}  // namespace tiercache::postgres
