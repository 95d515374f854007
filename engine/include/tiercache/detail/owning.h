// Not for direct use: the callback that `tiercache::owning` (refresh.h) makes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tiercache {
class RefreshContext;
}

namespace tiercache::detail {

// Whether a T refers to something that it does not keep alive.
template <class T>
inline constexpr bool kBorrows = std::is_pointer_v<T> || std::is_same_v<T, std::string_view>;
template <class T>
inline constexpr bool kBorrows<std::reference_wrapper<T>> = true;

// Calls `function` with the context and the values that it keeps.
template <class Function, class... Values>
struct Owning {
  decltype(auto) operator()(RefreshContext& context) const {
    return std::apply(
        [&](const Values&... values) -> decltype(auto) { return function(context, values...); },
        kept);
  }

  Function function;
  std::tuple<Values...> kept;
};

// Makes one, or does not compile if the function captures or a value borrows.
template <class Function, class... Values>
auto make_owning(Function function, Values&&... values) {
  static_assert(std::is_empty_v<Function>,
                "tiercache::owning: the function captures something; hand it over behind the "
                "function instead, to be copied and passed to it");
  const auto kept = []<class V>(V&& value) {
    if constexpr (std::is_same_v<std::decay_t<V>, const char*> ||
                  std::is_same_v<std::decay_t<V>, char*>) {
      return std::string(value);
    } else {
      static_assert(!kBorrows<std::decay_t<V>>,
                    "tiercache::owning: a pointer, reference or view may outlive what it refers "
                    "to; hand over a value or a std::shared_ptr");
      return std::decay_t<V>(std::forward<V>(value));
    }
  };
  return Owning<Function, decltype(kept(std::forward<Values>(values)))...>{
      std::move(function), {kept(std::forward<Values>(values))...}};
}

}  // namespace tiercache::detail
