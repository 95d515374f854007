// The steps of the tour, each with what it promises.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tour/report.h"
#include "tour/world.h"

namespace tour {

struct PlannedStep {
  std::string name;
  std::string promise;
  std::function<void(World& world, Step& step)> take;
  bool takes_store_away = false;
};

// In order; each begins with the service running and everything else in its place, and leaves it
// so.
const std::vector<PlannedStep>& planned_steps();

}  // namespace tour
