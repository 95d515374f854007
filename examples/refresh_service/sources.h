// Where documents come from, as the refresh callbacks of their datasets.
#pragma once

#include <functional>
#include <string>

#include "refresh_service/config.h"
#include "tiercache/options.h"
#include "tiercache/refresh.h"

namespace refresh_service {

using Source =
    std::function<tiercache::RefreshAnswer<std::string>(tiercache::RefreshContext& context)>;

// Empty for a dataset without a source. A source answers a document with its ETag and Last-Modified
// as metadata, `NotModified` or `NotFound`; it throws when it fails, `RetryAfter` where an upstream
// says when to come back. Thread-safe.
Source make_source(const DatasetConfig& dataset);

}  // namespace refresh_service
