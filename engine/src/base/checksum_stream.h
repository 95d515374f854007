// `Checksum::of` for bytes that come in parts.
#pragma once

#include <memory>
#include <string_view>

#include "tiercache/entry.h"

namespace tiercache {

class ChecksumStream {
 public:
  ChecksumStream();
  ~ChecksumStream();
  void add(std::string_view bytes);
  Checksum sum() const;  // of what was added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tiercache
