// Not for direct use: a read's answer before a snapshot gives it its type.
#pragma once

#include <chrono>
#include <memory>

#include "tiercache/detail/resident.h"
#include "tiercache/outcome.h"

namespace tiercache::detail {

// The untyped answer of a read. Copies share what it holds.
struct ReadResult {
  ResidentPtr resident;  // null: nothing served
  Tier tier = Tier::none;
  Freshness freshness = Freshness::expired;
  std::chrono::milliseconds age{0};
  std::shared_ptr<const Passage> passage;  // null: memory served
};

// Throws `NoData`, naming what each tier answered.
[[noreturn]] void throw_no_data(const ReadResult& result);
// Returns what each tier answered. For what memory served the passage is made here.
Passage passage_of(const ReadResult& result);

}  // namespace tiercache::detail
