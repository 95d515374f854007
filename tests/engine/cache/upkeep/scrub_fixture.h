// A scrub of a directory in which a test has set the tiers of a key against each other.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "cache/upkeep/scrub.h"
#include "engine/cache/ground.h"

namespace tiercache::detail {

// Reports are compared as a person reads them, so that each test says all that was counted.
class ScrubPartTest : public ::testing::Test {
 protected:
  explicit ScrubPartTest(const Ground::Adjust& adjust = {}) : ground(adjust) {
    room.writing.store_writer.start();
  }

  // In its file and in the store, confirmed long ago.
  void have(const Entry& entry, const EntryId& id = kId) {
    local.into_file(entry, id);
    ground.put_row(entry, id);
  }
  std::string look(ScrubOptions options = {}) {
    options.repair = false;
    return room.scrub(std::move(options)).to_string();
  }
  std::string repair(ScrubOptions options = {}) {
    options.repair = true;
    const ScrubReport report = room.scrub(std::move(options));
    EXPECT_TRUE(room.writing.run_until_idle());
    return report.to_string();
  }
  std::string row(const EntryId& id = kId) const { return text_of(ground.row(id)); }
  std::string bytes_of_file() const {
    std::string bytes;
    EXPECT_TRUE(ground.disk->read(local.path(), &bytes));
    return bytes;
  }
  void damage_file() { ground.disk->write(local.path(), "rubbish"); }
  void lose_file() { ASSERT_TRUE(ground.disk->remove(local.path())); }
  // The file has `entry`, as the index does not know.
  void set_file_back_to(const Entry& entry, const Entry& known) {
    local.into_file(entry);
    const std::string bytes = bytes_of_file();
    local.into_file(known);
    ground.disk->write(local.path(), bytes);
  }
  // Just before the store answers this load, counted from now on.
  void on_load(int which, std::function<void()> then) {
    ground.store->on_call([left = std::make_shared<int>(which), then](const std::string& call) {
      if (call == "load" && --*left == 0) then();
    });
  }
  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  DatasetState& data = ground.open();
};

inline const std::string kSound = "1 key, 0 differences";

}  // namespace tiercache::detail
