// What a refresh callback is given and what it may answer.
//
//     RefreshAnswer<Rates> fetch(RefreshContext& context) {
//       const Reply reply = bank.get("/rates", context.previous_metadata("etag"));
//       if (reply.status == 304) return NotModified{};
//       if (reply.status == 404) return NotFound{};
//       if (reply.status != 200) throw RetryAfter(reply.retry_after, reply.reason);
//       return Refreshed<Rates>{.value = reply.rates, .metadata = reply.etag_as_json};
//     }
//
// The cache may call it for several keys at once, on several threads, but never twice at once for
// the same key.
#pragma once

#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "tiercache/codec.h"
#include "tiercache/detail/owning.h"
#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache {

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

// A value with its metadata and lifetime.
template <class Value>
struct Refreshed {
  Value value;                  // what the source has
  std::string metadata = "{}";  // a JSON object, kept with the entry; as `PutOptions::metadata`
  // The lifetime of this entry; absent: the dataset's. A negative one, as of a source that says
  // that its answer is old already, counts as zero: stale at once.
  std::optional<std::chrono::milliseconds> fresh_for = {};
};

// What a refresh callback may return: the value itself, `Refreshed`, `NotModified`, `NotFound`.
// That of an untyped dataset returns JSON text, as a std::string.
//
// Throw to fail: the entry is kept and the retry throttled. The exception's text, cut to 300 bytes,
// goes to the log, to `health` and into passages: no secrets in it.
template <class Value>
class RefreshAnswer {
 public:
  // A value alone, without metadata and with the dataset's lifetime.
  template <class V>
  requires std::convertible_to<V&&, Value> RefreshAnswer(V&& value)
      : answer_(Refreshed<Value>{
            .value = Value(std::forward<V>(value)), .metadata = "{}", .fresh_for = {}}) {
    static_assert(!std::same_as<Value, std::string> || detail::Text<std::remove_cvref_t<V>>,
                  "tiercache: the callback of an untyped dataset returns JSON text, as "
                  "nlohmann::json::dump() gives it; to return values, open dataset<T>");
  }
  // Each of the other answers.
  RefreshAnswer(Refreshed<Value> refreshed) : answer_(std::move(refreshed)) {}
  RefreshAnswer(NotModified not_modified) : answer_(std::move(not_modified)) {}
  RefreshAnswer(NotFound not_found) : answer_(not_found) {}

  // The answer itself, for who takes it apart.
  std::variant<Refreshed<Value>, NotModified, NotFound>& get() { return answer_; }

 private:
  std::variant<Refreshed<Value>, NotModified, NotFound> answer_;
};

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
  return detail::make_owning(std::move(function), std::forward<Values>(values)...);
}

}  // namespace tiercache
