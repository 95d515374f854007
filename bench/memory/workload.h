// Keys, documents, and the order in which they are asked for. All are made before anything is
// timed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/memory_tier.h"

namespace tiercache::bench {

using Document = std::shared_ptr<const std::string>;

// The cheapest clock there is, which the cache reads once per hit.
Ticks coarse_now();

// Keys of 24 bytes and documents of 1 KiB, one of each for every number.
class Population {
 public:
  static constexpr std::size_t kKeyBytes = 24;
  static constexpr std::size_t kDocumentBytes = 1024;

  explicit Population(std::size_t count);
  std::size_t size() const { return documents_.size(); }
  std::string_view key(std::uint32_t number) const {
    return std::string_view(keys_).substr(number * kKeyBytes, kKeyBytes);
  }
  const Document& document(std::uint32_t number) const { return documents_[number]; }

 private:
  std::string keys_;
  std::vector<Document> documents_;
};

// One call of a workload: a get that puts what it misses, or a put.
struct Operation {
  std::uint32_t number : 31;
  std::uint32_t put : 1;
};

struct Workload {
  std::string name;
  std::size_t keys = 0;      // how many of the population's keys it uses
  std::size_t capacity = 0;  // in entries
  bool must_hit = false;     // everything fits
  double zipf = 0;           // the exponent; 0: all keys are equally likely
  unsigned puts_of_100 = 0;

  std::vector<Operation> operations(std::size_t count, std::uint64_t seed) const;
};

}  // namespace tiercache::bench
