#include "cache/runtime/datasets.h"

#include <cstdint>
#include <utility>

#include "base/key_ref.h"

namespace tiercache::detail {

Datasets::Opened Datasets::open(const std::string& name, DatasetPolicy policy) {
  Lock lock(mutex_);
  if (const auto there = datasets_.find(name); there != datasets_.end()) {
    return {*there->second, false};
  }
  std::uint32_t number = dataset_number(name);
  while (!numbers_.insert(number).second) ++number;
  auto state =
      std::make_unique<DatasetState>(name, number, std::move(policy), memory_ttl_, log_, clock_);
  return {*datasets_.emplace(name, std::move(state)).first->second, true};
}

DatasetState* Datasets::find(const std::string& name) const {
  Lock lock(mutex_);
  const auto there = datasets_.find(name);
  return there == datasets_.end() ? nullptr : there->second.get();
}

std::vector<std::string> Datasets::names() const {
  std::vector<std::string> names;
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) names.push_back(name);
  return names;
}

void Datasets::for_each(const std::function<void(DatasetState&)>& visit) const {
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) visit(*dataset);
}

}  // namespace tiercache::detail
