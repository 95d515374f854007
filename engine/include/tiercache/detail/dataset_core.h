// Not for direct use: a dataset without its type, which `Dataset<T>` wraps.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#include "tiercache/detail/read_result.h"
#include "tiercache/detail/refresh_result.h"
#include "tiercache/detail/resident.h"
#include "tiercache/options.h"
#include "tiercache/outcome.h"
#include "tiercache/stats.h"

namespace tiercache::detail {

class Core;
struct DatasetState;

// A decoded value and what it costs.
struct Decoded {
  std::shared_ptr<const void> value;
  std::size_t bytes = 0;
};

// A refresh callback whose answers are documents.
using Callback = std::function<RefreshResult(RefreshContext&)>;

// A dataset's options without its type. Functions may be empty. Of `options`, the fields `refresh`,
// `rich_refresh`, `validate` and `fallback` are unused: those below stand for them.
struct DatasetPolicy {
  BasicDatasetOptions<std::string> options;
  std::type_index type = typeid(void);
  std::function<Decoded(const std::string& document)> decode;  // may throw; empty: untyped
  std::function<bool(const void* value)> validate;             // may throw
  Callback refresh;
  Callback rich_refresh;
  ResidentPtr fallback;
};

// A document that is to be put.
struct PutItem {
  std::string key;
  std::shared_ptr<const std::string> document;
  std::shared_ptr<const void> value;  // null for untyped
  std::size_t value_bytes = 0;
  std::exception_ptr fault = {};  // what the codec threw; null: nothing, and there is a document
};

// Takes the result of a put: the receipt means something only if `error` is null.
using PutHandler = std::function<void(PutReceipt receipt, std::exception_ptr error)>;
// Takes the result of a read.
using ReadHandler = std::function<void(ReadResult)>;

// A handle, which shares the cache's core and so may outlive the `Cache`. The functions do what
// those of `Dataset` do. Thread-safe.
class DatasetCore {
 public:
  DatasetCore(std::shared_ptr<Core> core, DatasetState& state);
  ~DatasetCore();

  const std::string& name() const;

  ReadResult get(std::string_view key, const GetOptions& options);
  ReadResult peek(std::string_view key);
  void get_async(std::string key, const GetOptions& options, ReadHandler handler);
  std::vector<ReadResult> get_many(std::span<const std::string> keys, const GetOptions& options);
  ReadResult get_or_load(std::string_view key, Callback callback,
                         std::optional<std::chrono::milliseconds> ttl, const GetOptions& options);

  PutReceipt put(PutItem item, const PutOptions& options);
  void put_async(PutItem item, const PutOptions& options, PutHandler handler);
  std::vector<PutReceipt> put_many(std::vector<PutItem> items, const PutOptions& options);
  PutReceipt erase(std::string_view key, const PutOptions& options);
  PutReceipt erase_matching(std::string_view glob, const PutOptions& options);
  PutReceipt invalidate(std::string_view key, const PutOptions& options);
  ReadResult refresh(std::string_view key, std::chrono::milliseconds deadline);

  bool contains(std::string_view key);
  std::optional<EntryInfo> info(std::string_view key);
  KeyPage keys(std::optional<std::string_view> after, std::size_t limit);

 private:
  const std::shared_ptr<Core> core_;
  DatasetState& state_;  // owned by `core_`
};

}  // namespace tiercache::detail
