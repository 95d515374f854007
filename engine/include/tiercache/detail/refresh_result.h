// Not for direct use: what a refresh callback answered, without its type.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "tiercache/refresh.h"

namespace tiercache {

// A new document.
struct NewDocument {
  std::shared_ptr<const std::string> document = {};         // JSON text
  std::string metadata = "{}";                              // a JSON object, kept with the entry
  std::optional<std::chrono::milliseconds> fresh_for = {};  // its lifetime; absent: the dataset's
  // The document decoded already, of the dataset's type; null: the cache decodes `document`.
  std::shared_ptr<const void> value = {};
};

// What the engine's callbacks return. If they throw, the refresh has failed.
using RefreshResult = std::variant<NewDocument, NotModified, NotFound>;

}  // namespace tiercache
