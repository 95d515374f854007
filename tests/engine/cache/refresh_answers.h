// A dataset whose two callbacks answer what a test says.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {

using Answer = RefreshAnswer<std::string>;
using NewText = Refreshed<std::string>;

class RefreshAnswers : public ::testing::Test {
 protected:
  // A keyed dataset whose callbacks answer what `plain` and `rich` do.
  Dataset<JsonText> open(DatasetOptions<JsonText> options = {}) {
    options.keyed = true;
    if (!options.fresh_for) options.fresh_for = 1h;
    options.refresh = [this](RefreshContext& context) {
      ++plain_calls;
      return plain(context);
    };
    return cache->dataset("d", options);
  }
  void with_rich(DatasetOptions<JsonText>& options) {
    options.rich_refresh = [this](RefreshContext& context) {
      ++rich_calls;
      return rich(context);
    };
  }
  // Neither the disk nor the store takes anything from now on.
  void break_tiers() {
    world.disk.set_fault([](const std::string& operation, const std::string&) {
      const bool writes = operation == "write_at" || operation == "open" ||
                          operation == "write_file" || operation == "sync_data";
      return writes ? ENOSPC : 0;
    });
    world.store_down();
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  std::function<Answer(RefreshContext&)> plain = [](RefreshContext&) { return Answer("1"); };
  std::function<Answer(RefreshContext&)> rich = [](RefreshContext&) { return Answer("\"rich\""); };
  int plain_calls = 0;
  int rich_calls = 0;
};

}  // namespace tiercache::testing
