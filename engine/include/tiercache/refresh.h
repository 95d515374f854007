// What a refresh callback is given and what it may answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache {

// Thrown by a callback to say when the source may be asked again (HTTP's Retry-After). The key is
// left alone that long, at most a day, even by a refresh that was asked for.
class RetryAfter : public std::runtime_error {
 public:
  // `why` is what the source said, for logs and `health`: no secrets in it.
  RetryAfter(std::chrono::milliseconds delay, const std::string& why)
      : std::runtime_error(why), delay_(delay) {}
  // How long the source asked to be left alone; less than zero counts as zero.
  std::chrono::milliseconds delay() const { return delay_; }

 private:
  std::chrono::milliseconds delay_;
};

namespace detail {
struct CancelFlag;
}

// Handed to the callback; lives as long as any copy. Thread-safe for reading.
class RefreshContext {
 public:
  // For tests of a callback: of no key, without an entry before and without deadlines.
  RefreshContext();
  // The same with all that the cache would say.
  RefreshContext(EntryId id, EntryPtr previous, bool rich, SteadyTime soft_deadline,
                 SteadyTime hard_deadline);

  // The name of the dataset that is refreshed.
  const std::string& dataset() const { return id_.dataset; }
  // The key that is refreshed; empty where the dataset is one document.
  const std::string& key() const { return id_.key; }
  // What is cached so far, expired or not; null when there is nothing.
  const EntryPtr& previous() const { return previous_; }
  // A member of the previous entry's metadata ("etag", "last_modified", …): a string's characters,
  // or the JSON text of any other value; empty when there is none.
  std::string previous_metadata(std::string_view name) const;
  // True when this is the dataset's rich refresh.
  bool rich() const { return rich_; }
  // Until then readers of a stale entry wait for the fresh one. `kNever` where the dataset has no
  // `soft_timeout`: then nobody waits who can be served.
  SteadyTime soft_deadline() const { return soft_deadline_; }
  // An answer after this is ignored. Counted from when the callback begins, not from when it was
  // asked for.
  SteadyTime hard_deadline() const { return hard_deadline_; }
  // The cache is closing or the hard deadline has passed: give up when convenient.
  bool cancelled() const;

  // For the engine: makes `cancelled` true in every copy.
  void cancel() const;
  // For the engine: the callback begins, so that its time is known. Copies made before keep theirs.
  void set_hard_deadline(SteadyTime deadline) { hard_deadline_ = deadline; }

 private:
  EntryId id_;
  EntryPtr previous_;
  bool rich_ = false;
  SteadyTime soft_deadline_ = kNever;
  SteadyTime hard_deadline_ = kNever;
  std::shared_ptr<detail::CancelFlag> flag_;
};

// The source has nothing newer than the previous entry: only the clocks (and metadata, where given)
// move.
struct NotModified {
  std::string metadata = {};  // a JSON object that replaces the entry's; empty: unchanged
};

// The source says there is no such document.
struct NotFound {};

// A new document.
struct NewDocument {
  std::shared_ptr<const std::string> document = {};         // JSON text
  std::string metadata = "{}";                              // a JSON object, kept with the entry
  std::optional<std::chrono::milliseconds> fresh_for = {};  // its lifetime; absent: the dataset's
  // The document decoded already, of the dataset's type; null: the cache decodes `document`.
  std::shared_ptr<const void> value = {};
};

// An answer of an untyped callback. Throw to fail: the entry is kept and the retry throttled. The
// exception's text, cut to 300 bytes, goes to the log, to `health` and into passages: no secrets in
// it.
using RefreshResult = std::variant<NewDocument, NotModified, NotFound>;

namespace detail {

// What refers to something that it does not keep alive.
template <class T>
inline constexpr bool kBorrows = std::is_pointer_v<T> || std::is_same_v<T, std::string_view>;
template <class T>
inline constexpr bool kBorrows<std::reference_wrapper<T>> = true;

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

}  // namespace detail

// A refresh callback that cannot outlive what it uses, because it owns it: `function` captures
// nothing and is called with the context and with the copies that are kept here, as const
// references.
//
//     sessions.get_or_load("42", tiercache::owning(
//         [](RefreshContext& context, const std::string& user, const std::shared_ptr<Api>& api) {
//           return api->session_of(user, context.key());
//         },
//         user, api));
//
// A function that captures, and a value that only refers to another (a pointer, a std::string_view,
// a std::reference_wrapper), do not compile; a string literal is kept as a std::string. Several
// threads may call it at once, for several keys.
template <class Function, class... Values>
auto owning(Function function, Values&&... values) {
  static_assert(std::is_empty_v<Function>,
                "tiercache::owning: the function captures something; hand it over behind the "
                "function instead, to be copied and passed to it");
  const auto kept = []<class V>(V&& value) {
    if constexpr (std::is_same_v<std::decay_t<V>, const char*> ||
                  std::is_same_v<std::decay_t<V>, char*>) {
      return std::string(value);
    } else {
      static_assert(!detail::kBorrows<std::decay_t<V>>,
                    "tiercache::owning: a pointer, reference or view may outlive what it refers "
                    "to; hand over a value or a std::shared_ptr");
      return std::decay_t<V>(std::forward<V>(value));
    }
  };
  return detail::Owning<Function, decltype(kept(std::forward<Values>(values)))...>{
      std::move(function), {kept(std::forward<Values>(values))...}};
}

}  // namespace tiercache
