// How much the entry files may hold: `files.max_bytes` and `files.max_entries`.
#pragma once

#include "cache/runtime/runtime.h"
#include "files/index/index.h"

namespace tiercache::detail {

// Thread-safe.
class FileBounds {
 public:
  // `index` must outlive it.
  FileBounds(const Runtime& runtime, const Index& index) : runtime_(runtime), index_(index) {}

  // True if files can be evicted, because a bound is set and there is a store.
  bool are_set() const;
  // True if a bound is passed. Then some files have to go, and nothing should be brought in that
  // nobody asked for.
  bool are_exceeded() const;
  // How much lies above 95 % of each bound, down to which eviction goes once a bound is passed. So
  // it may be above zero although no bound is passed.
  Index::Totals excess() const;

 private:
  const Runtime& runtime_;
  const Index& index_;
};

}  // namespace tiercache::detail
