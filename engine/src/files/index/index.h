// What is known of every key in the directory without opening its file. It is never the truth but a
// copy of what the files' headers say, and is read from them again if it is missing, wrong or
// older than they are.
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
#include "files/index/file_print.h"
#include "tiercache/entry.h"

namespace tiercache {

struct IndexItem {
  EntryKind kind = EntryKind::document;
  Version version;
  Checksum checksum;
  std::uint64_t size = 0;  // bytes of the document
  Clocks clocks;
  // The print of the file whose header says all this; 0 if the file was not looked at, or its
  // header may say something else. Not compared.
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
  // Takes `item` even in the place of a newer version, without a moment at which the key is not
  // known: the file has it.
  void put_older(const EntryId& id, const IndexItem& item);
  // Forgets the key if its version is not above `up_to`.
  void remove(const EntryId& id, Version up_to);
  void clear();
  // Up to `limit` keys of the dataset that come after `after` (nullopt: from the first), in byte
  // order, without tombstones.
  std::vector<std::string> page(std::string_view dataset, std::optional<std::string_view> after,
                                std::size_t limit) const;
  // The same with what is known of each key, tombstones included.
  std::vector<std::pair<std::string, IndexItem>> items(std::string_view dataset,
                                                       const std::optional<std::string>& after,
                                                       std::size_t limit) const;
  // Visits every item of a dataset, tombstones included. Items are copied in slices, so `visit` may
  // call the index.
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

  // How many changes there have been that count for saving: items put with a print, and items
  // removed.
  std::uint64_t changes() const;
  std::vector<FilePrint> prints() const;  // all that are known, in no order
  // Adds those items of `saved` whose files were met and whose keys are not known here yet.
  void take_met(Index&& saved, const PrintsMet& met);

  // The form on disk (`docs/formats/index.md`), which carries a checksum. `decode` replaces what
  // was known; if the bytes do not hold it returns false and changes nothing. `trusted_to` is the
  // time up to which the index can be trusted: it may be wrong about files that changed later, or
  // shortly before.
  std::string encode(FileTime trusted_to = 0) const;
  bool decode(std::string_view bytes, FileTime* trusted_to = nullptr);

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

  void take(const EntryId& id, const IndexItem& item) TIERCACHE_REQUIRES(mutex_);

  class Reader;
  static bool decode_datasets(Reader& reader, std::uint32_t format, Datasets* out);
  static bool decode_items(Reader& reader, std::uint32_t format, Dataset* out);

  mutable Mutex mutex_;
  Datasets datasets_ TIERCACHE_GUARDED_BY(mutex_);  // none of them is empty
  std::uint64_t changes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

// Writes the form on disk part by part, while the index may change; each item is written as it was
// at some moment. Not thread-safe.
class IndexEncoder {
 public:
  IndexEncoder(const Index& index, FileTime trusted_to);
  // Appends the next part, some dozens of KiB. Returns false when that was the last one.
  bool next(std::string* out);

 private:
  bool next_slice(std::string* out);
  void end_dataset(std::string* out);

  const Index& index_;
  const FileTime trusted_to_;
  const std::vector<std::string> datasets_;
  std::size_t dataset_ = 0;
  std::optional<std::string> after_;  // this dataset's key that was written last, if any
  bool begun_ = false;
  ChecksumStream sum_;
};

}  // namespace tiercache
