// Says which item of a call with many an exception is about.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tiercache/error.h"

namespace tiercache::detail {

// What `call` returns. What it throws is thrown on with the item's place before it, as in
// "values[3]: …": `list` is the parameter's name, `index` counts from 0. The key is not named,
// since it may be personal.
template <class Call>
auto named_item(std::string_view list, std::size_t index, Call call) -> decltype(call()) {
  const auto named = [&](const Error& error) {
    return std::string(list) + '[' + std::to_string(index) + "]: " + error.what();
  };
  try {
    return call();
  } catch (const InvalidKey& error) {
    throw InvalidKey(named(error), error.details());
  } catch (const InvalidDocument& error) {
    throw InvalidDocument(named(error), error.details());
  } catch (const VersionConflict& error) {
    throw VersionConflict(named(error), error.details());
  } catch (const NotDurable& error) {
    throw NotDurable(error.state(), named(error), error.details());
  }
}

}  // namespace tiercache::detail
