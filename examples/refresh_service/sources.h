// Where documents come from, as refresh callbacks, and what they must be, as `validate`.
#pragma once

#include <functional>
#include <string>

#include "refresh_service/config.h"
#include "tiercache/options.h"
#include "tiercache/refresh.h"

namespace refresh_service {

using Source =
    std::function<tiercache::RefreshAnswer<std::string>(tiercache::RefreshContext& context)>;

// Why tiercache::http cannot ask it, one fault a line; empty when it can.
std::string fault_of(const HttpSource& source);

// Empty for a dataset without a source. A source answers a document with its ETag and Last-Modified
// as metadata, `NotModified` or `NotFound`; it throws when it fails, `RetryAfter` where an upstream
// says when to come back. Thread-safe.
Source make_source(const DatasetConfig& dataset);

// Empty where there is nothing to check. Throws what is wrong with a document.
std::function<bool(const std::string& document)> make_validate(const Checks& checks);

// As in a URL's path: all but letters, digits and "-._~" becomes %XX.
std::string percent_encoded(const std::string& text);

}  // namespace refresh_service
