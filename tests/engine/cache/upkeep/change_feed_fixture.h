// A change feed between a directory and a store that a test has set apart.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "cache/upkeep/change_feed.h"
#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {

// A feed that polls once a second, and writes its cursor at most every ten.
class ChangeFeedPartTest : public ::testing::Test {
 protected:
  explicit ChangeFeedPartTest(const Ground::Adjust& adjust = {}) : ground(adjust) {}

  // It has its place behind all that the store has now.
  void follow() {
    feed.start();
    ground.run_ready();
  }
  void poll() { ground.run_for(1s); }
  void have(const Entry& entry, const EntryId& id = kId) {
    local.into_file(entry, id);
    ground.put_row(entry, id);
  }
  std::uint64_t polls() const { return ground.store->calls("changes"); }
  std::uint64_t loads() const { return ground.store->calls("load"); }
  void refuse_call(const std::string& refused) {
    ground.store->set_fault([refused](const std::string& call) {
      return call == refused ? StoreFault::unavailable : StoreFault::none;
    });
  }
  std::string kept() const {
    return read_kept_text(*ground.runtime.file_system, "/cache/changes", "tiercache-cursor 1\n")
        .text;
  }
  // The cursor of a store in memory: behind its latest update.
  static std::string cursor(int updates) { return "1-" + std::to_string(updates); }
  DatasetState& open_without_hydration(const std::string& name) {
    return ground.open(name,
                       [](DatasetPolicy& policy) { policy.options.hydrate = Hydrate::none(); });
  }

  Ground ground;
  UpkeepRoom room{ground};
  LocalRoom& local = room.writing.local;
  ChangeFeed& feed = room.parts.feed;
  DatasetState& data = ground.open();
};

class ChangeFeedBesideScriptedStoreTest : public ChangeFeedPartTest {
 protected:
  ChangeFeedBesideScriptedStoreTest()
      : ChangeFeedBesideScriptedStoreTest(std::make_shared<ScriptedStore>()) {}
  explicit ChangeFeedBesideScriptedStoreTest(std::shared_ptr<ScriptedStore> scripted)
      : ChangeFeedPartTest([&](CacheOptions& options) { options.store = scripted; }),
        store(std::move(scripted)) {}

  const std::shared_ptr<ScriptedStore> store;
};

}  // namespace tiercache::detail
