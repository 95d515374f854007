#include "cache/dataset_state.h"

#include <stdexcept>
#include <utility>

namespace tiercache::detail {

DatasetState::DatasetState(std::string dataset_name, std::uint32_t dataset_number,
                           DatasetPolicy dataset_policy, std::chrono::milliseconds memory_ttl)
    : name(std::move(dataset_name)),
      number(dataset_number),
      policy(std::move(dataset_policy)),
      ages{default_fresh_for(policy.options), policy.options.stale_for, memory_ttl} {}

Schedule DatasetState::schedule(Cadence cadence) const {
  if (cadence == Cadence::rich) {
    const auto every = policy.options.rich_refresh_every;
    return {every, every / 20};
  }
  return {policy.options.refresh_every, default_jitter(policy.options)};
}

Decoded DatasetState::decode(const std::string& document) const {
  Decoded decoded;
  if (policy.decode) decoded = policy.decode(document);
  const void* value = policy.decode ? decoded.value.get() : static_cast<const void*>(&document);
  if (policy.validate && !policy.validate(value)) {
    throw std::runtime_error("the dataset's validate refused it");
  }
  return decoded;
}

void DatasetState::source_failed(WallTime now, const std::string& why) {
  Lock lock(mutex_);
  if (source_.working) source_.since = now;
  source_.working = false;
  source_.why = why;
}

void DatasetState::source_worked() {
  Lock lock(mutex_);
  source_ = TierHealth{};
}

TierHealth DatasetState::source_health() const {
  Lock lock(mutex_);
  return source_;
}

}  // namespace tiercache::detail
