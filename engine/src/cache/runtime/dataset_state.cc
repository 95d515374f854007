#include "cache/runtime/dataset_state.h"

#include <stdexcept>
#include <utility>

namespace tiercache::detail {

DatasetState::DatasetState(std::string dataset_name, std::uint32_t dataset_number,
                           DatasetPolicy dataset_policy, std::chrono::milliseconds memory_ttl,
                           Log& log, const Clock& clock)
    : name(std::move(dataset_name)),
      number(dataset_number),
      policy(std::move(dataset_policy)),
      ages{default_fresh_for(policy.options), policy.options.stale_for, memory_ttl},
      source(log, clock,
             {.topic = LogTopic::refresh,
              .subject = "the source of dataset " + name,
              .meanwhile = "cached documents are served until they expire"}),
      rich_source(log, clock,
                  {.topic = LogTopic::refresh,
                   .subject = "the rich source of dataset " + name,
                   .meanwhile = "documents are refreshed without it"}) {}

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

std::shared_ptr<Resident> DatasetState::resident_of(const Entry& entry) const {
  auto resident = std::make_shared<Resident>();
  resident->kind =
      entry.kind == EntryKind::tombstone ? ResidentKind::tombstone : ResidentKind::document;
  resident->entry = entry;
  if (entry.document) {
    Decoded decoded = decode(*entry.document);
    resident->value = std::move(decoded.value);
    resident->value_bytes = decoded.bytes;
  }
  return resident;
}

}  // namespace tiercache::detail
