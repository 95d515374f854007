// Compares what is at a place with what must be there.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "upgrade/state/machine.h"

namespace tiercache::upgrade {

// What must be there after one step of acts.h.
//
// | member  | what                                                                                 |
// |---------|--------------------------------------------------------------------------------------|
// | after   | the step whose entries these add to and replace; absent: none                        |
// | entries | by dataset and key; null: gone. `document` is its text; `metadata` is "{}", and      |
// |         | `freshness` "fresh", where absent; `fetched`, `rich_fetched` are seconds after the   |
// |         | beginning                                                                            |
// | pending | writes that wait for the store: kind, dataset, key                                   |
// | parked  | those that it refused                                                                |
struct Expected {
  nlohmann::json entries;
  std::vector<std::string> pending, parked;

  // Throws where the file cannot be read or names no such step.
  static Expected read(const std::string& file, const std::string& step);
};

// How the writes that wait are compared.
enum class OutboxIs : std::uint8_t {
  as_written,  // nobody has opened the directory since the step
  settled,     // the store has taken all that it takes
};

// Opens the place `age` after the beginning, first with the store away, so that the directory alone
// answers, then lets the store come back, waits until it has taken what waits, and compares its
// rows. Returns every difference, for a person. Closes in order.
std::vector<std::string> differences(const Place& place, std::chrono::seconds age,
                                     const Expected& expected, OutboxIs outbox);

}  // namespace tiercache::upgrade
