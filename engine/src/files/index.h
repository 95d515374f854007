// What is known of every key in the directory without opening its file. Never the truth: a cache of
// the files' headers, read from them again where it is missing, wrong or older than they are.
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
#include "base/checksum_stream.h"
#include "base/mutex.h"
#include "files/file_print.h"
#include "tiercache/entry.h"

namespace tiercache {

struct IndexItem {
  EntryKind kind = EntryKind::document;
  Version version;
  Checksum checksum;
  std::uint64_t size = 0;  // bytes of the document
  Clocks clocks;
  // Of the file whose header says all this; 0 where it was not looked at, or says less. Not
  // compared.
  FilePrint print = 0;

  friend bool operator==(const IndexItem& a, const IndexItem& b) {
    return a.kind == b.kind && a.version == b.version && a.checksum == b.checksum &&
           a.size == b.size && a.clocks == b.clocks;
  }
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

  // How often a print came or an item went, since the process began.
  std::uint64_t changes() const;
  std::vector<FilePrint> prints() const;  // those that are known, in no order
  // Adds the items of `saved` whose files were met, but where a key is known here already.
  void take_met(Index&& saved, const PrintsMet& met);

  // The form on disk (`docs/formats/index.md`): checksummed; false, and nothing changed, when the
  // bytes do not hold. Otherwise they replace what was known. `settled`: of files changed later, or
  // shortly before, nothing is said.
  std::string encode(FileTime settled = 0) const;
  bool decode(std::string_view bytes, FileTime* settled = nullptr);

 private:
  struct Dataset {
    std::map<std::string, IndexItem, std::less<>> items;
    std::uint64_t documents = 0;  // items that are no tombstones
    std::uint64_t bytes = 0;      // of those documents

    void count(const IndexItem& item);
    void uncount(const IndexItem& item);
    void count_all();
  };
  using Datasets = std::map<std::string, Dataset, std::less<>>;

  class Reader;
  static bool decode_datasets(Reader& reader, std::uint32_t format, Datasets* out);
  static bool decode_items(Reader& reader, std::uint32_t format, Dataset* out);

  mutable Mutex mutex_;
  Datasets datasets_ TIERCACHE_GUARDED_BY(mutex_);  // none of them empty
  std::uint64_t changes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

// Writes the form on disk of an index that may change meanwhile, part by part: each item as it was
// at some moment. Not thread-safe.
class IndexEncoder {
 public:
  IndexEncoder(const Index& index, FileTime settled);
  // Appends the next part, of some dozens of KiB. False: that was the last.
  bool next(std::string* out);

 private:
  bool next_slice(std::string* out);
  void end_dataset(std::string* out);

  const Index& index_;
  const FileTime settled_;
  const std::vector<std::string> datasets_;
  std::size_t dataset_ = 0;
  std::optional<std::string> after_;  // the key written last; none yet of this dataset
  bool begun_ = false;
  ChecksumStream sum_;
};

}  // namespace tiercache
