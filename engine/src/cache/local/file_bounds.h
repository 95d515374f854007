// How much the entry files may hold: `files.max_bytes` and `files.max_entries`.
#pragma once

#include "cache/runtime/runtime.h"
#include "files/index.h"

namespace tiercache::detail {

// Thread-safe.
class FileBounds {
 public:
  // `index` must outlive it.
  FileBounds(const Runtime& runtime, const Index& index) : runtime_(runtime), index_(index) {}

  // Whether files are ever evicted: there are bounds, and a store that has what is evicted.
  bool are_set() const;
  // Whether a bound is exceeded: then some files have to go, and nothing should be brought in that
  // nobody asked for.
  bool are_exceeded() const;
  // What has to go so that there is room for a while.
  Index::Totals excess() const;

 private:
  const Runtime& runtime_;
  const Index& index_;
};

}  // namespace tiercache::detail
