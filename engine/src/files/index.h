// What is known of every key in the directory without opening its file. Never the truth: a cache of
// the files' headers, rebuilt from them when missing or wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

  friend bool operator==(const IndexItem&, const IndexItem&) = default;
};

// Thread-safe.
class Index {
 public:
  std::optional<IndexItem> find(const EntryId& id) const;
  // Takes `item` unless a newer version is known; equal versions merge clocks.
  void put(const EntryId& id, const IndexItem& item);
  // Forgets the key if its version is not above `up_to`.
  void remove(const EntryId& id, Version up_to);
  void clear();
  // Up to `limit` keys of the dataset after `after` (exclusive; nullopt: from the start), in byte
  // order. Tombstones are left out.
  std::vector<std::string> page(std::string_view dataset, std::optional<std::string_view> after,
                                std::size_t limit) const;
  // The same with what is known of them, tombstones included.
  std::vector<std::pair<std::string, IndexItem>> items(std::string_view dataset,
                                                       const std::optional<std::string>& after,
                                                       std::size_t limit) const;
  // Every item of a dataset (tombstones too), on a copy taken in slices: `visit` may call the
  // index.
  void for_each(std::string_view dataset,
                const std::function<void(const std::string& key, const IndexItem&)>& visit) const;
  std::vector<std::string> datasets() const;
  std::uint64_t count(std::string_view dataset) const;  // documents, no tombstones
  std::uint64_t size() const;                           // all items
  struct Totals {
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;  // of the documents
  };
  Totals totals() const;  // of all datasets

  // The form on disk (`docs/formats/index.md`): checksummed; false, and nothing changed, when the
  // bytes do not hold. Otherwise they replace what was known.
  std::string encode() const;
  bool decode(std::string_view bytes);

 private:
  struct Dataset {
    std::map<std::string, IndexItem, std::less<>> items;
    std::uint64_t documents = 0;  // items that are no tombstones
    std::uint64_t bytes = 0;      // of those documents

    void count(const IndexItem& item);
    void uncount(const IndexItem& item);
  };
  using Datasets = std::map<std::string, Dataset, std::less<>>;

  static bool decode_datasets(std::string_view bytes, Datasets* out);

  mutable Mutex mutex_;
  Datasets datasets_ TIERCACHE_GUARDED_BY(mutex_);  // none of them empty
};

}  // namespace tiercache
