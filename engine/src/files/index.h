// What is known of every key in the directory without opening its file. Never the truth: a cache of the
// files' headers, rebuilt from them when missing or wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/entry.h"

namespace tiercache {

struct IndexItem {
  EntryKind kind = EntryKind::document;
  Version version;
  Checksum checksum;
  std::uint64_t size = 0;  // bytes of the document
  Clocks clocks;
};

// Thread-safe.
class Index {
 public:
  std::optional<IndexItem> find(const EntryId& id) const;
  // Takes `item` unless a newer version is known; equal versions merge clocks.
  void put(const EntryId& id, const IndexItem& item);
  // Forgets the key if its version is not above `up_to`.
  void remove(const EntryId& id, Version up_to);
  // Up to `limit` keys of the dataset after `after` (exclusive; nullopt: from the start), in byte order.
  // Tombstones are left out.
  std::vector<std::string> page(std::string_view dataset, std::optional<std::string_view> after,
                                std::size_t limit) const;
  // Every item of a dataset (tombstones too), on a copy taken in slices: `visit` may call the index.
  void for_each(std::string_view dataset,
                const std::function<void(const std::string& key, const IndexItem&)>& visit) const;
  std::vector<std::string> datasets() const;
  std::uint64_t count(std::string_view dataset) const;  // documents, no tombstones
  std::uint64_t size() const;                           // all items

  // The form on disk (`docs/formats/index.md`): checksummed; false when the bytes do not hold.
  std::string encode() const;
  bool decode(std::string_view bytes);

 private:
  using Items = std::map<std::string, IndexItem, std::less<>>;
  mutable Mutex mutex_;
  std::map<std::string, Items, std::less<>> items_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache
