// What a refresh callback is given, and what it may answer.
//
//     RefreshAnswer<Rates> fetch(RefreshContext& context) {
//       const Reply reply = bank.get("/rates", context.previous_metadata("etag"));
//       if (reply.status == 304) return NotModified{};
//       if (reply.status == 404) return NotFound{};
//       if (reply.status == 429) throw RetryAfter(reply.retry_after, reply.reason);
//       if (reply.status != 200) throw std::runtime_error(reply.reason);
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

// Tells a callback what is refreshed, and how much time there is. Copies share the cancellation and
// may outlive the callback. Several threads may read one object at once.
class RefreshContext {
 public:
  // For tests of a callback: a context without a key, a previous entry or deadlines.
  RefreshContext();
  // The same with everything that the cache would say.
  RefreshContext(EntryId id, EntryPtr previous, bool rich, SteadyTime soft_deadline,
                 SteadyTime hard_deadline);

  // The name of the dataset that is refreshed.
  const std::string& dataset() const { return id_.dataset; }
  // The key that is refreshed; empty if the dataset is one document.
  const std::string& key() const { return id_.key; }
  // The entry that is cached so far, expired or not; null if there is none.
  const EntryPtr& previous() const { return previous_; }
  // Returns a member of the previous entry's metadata ("etag", "last_modified", …): the characters
  // of a string, or the JSON text of any other value; empty if there is no such member.
  std::string previous_metadata(std::string_view name) const;
  // Returns whether this is the dataset's rich refresh.
  bool rich() const { return rich_; }
  // By then the reader of a stale entry who began this refresh no longer waits for it. `kNever` if
  // the dataset has no `soft_timeout`: then readers who can be served a stale value do not wait.
  SteadyTime soft_deadline() const { return soft_deadline_; }
  // An answer after this is ignored. It is counted from the moment the callback begins, not from
  // when the refresh was asked for.
  SteadyTime hard_deadline() const { return hard_deadline_; }
  // Returns whether the cache is closing or the hard deadline has passed. A callback should then
  // give up as soon as it can. That readers no longer wait for the refresh does not cancel it.
  bool cancelled() const;

  // For the engine: what the rich callback is given after the plain one has brought `previous`. It
  // is cancelled together with this one.
  RefreshContext rich_after(EntryPtr previous) const;
  // For the engine: makes `cancelled` true in every copy.
  void cancel() const;
  // For the engine: sets the deadline once the callback begins. Copies made before keep theirs.
  void set_hard_deadline(SteadyTime deadline) { hard_deadline_ = deadline; }

 private:
  EntryId id_;
  EntryPtr previous_;
  bool rich_ = false;
  SteadyTime soft_deadline_ = kNever;
  SteadyTime hard_deadline_ = kNever;
  std::shared_ptr<detail::CancelFlag> flag_;
};

// The answer that the source has nothing newer than the previous entry. Only the entry's clocks
// move, and its metadata if there is some.
struct NotModified {
  std::string metadata = {};  // a JSON object that replaces the entry's; empty: it stays
};

// The answer that the source has no such document. It is believed for `not_found_for`: meanwhile
// readers do not make the cache ask the source again, but scheduled turns and `Dataset::refresh`
// ask all the same. Any write or invalidation of the key ends that, and so does a newer row from
// the store. An entry that is there stays, and is served as before until it expires, unless the
// dataset has `not_found_erases`.
struct NotFound {};

// The answer that is a value, with its metadata and lifetime.
template <class Value>
struct Refreshed {
  Value value;                  // what the source has
  std::string metadata = "{}";  // a JSON object, kept with the entry; as `PutOptions::metadata`
  // The lifetime of this entry; absent: the dataset's. Zero means stale at once, and so does a
  // negative one, which comes from a source whose answer is old already.
  std::optional<std::chrono::milliseconds> fresh_for = {};
};

// What a refresh callback may return: the value itself, `Refreshed`, `NotModified` or `NotFound`.
// The callback of an untyped dataset returns JSON text, as a std::string.
//
// A callback throws to say that it failed: then the entry is kept and the next try is throttled.
// The exception's text, cut to 300 bytes, goes to the log, to `health` and into passages, so it
// must hold no secrets.
template <class Value>
class RefreshAnswer {
 public:
  // Answers with a value alone, without metadata and with the dataset's lifetime.
  template <class V>
  requires std::convertible_to<V&&, Value> RefreshAnswer(V&& value)
      : answer_(Refreshed<Value>{
            .value = Value(std::forward<V>(value)), .metadata = "{}", .fresh_for = {}}) {
    static_assert(!std::same_as<Value, std::string> || detail::Text<std::remove_cvref_t<V>>,
                  "tiercache: the callback of an untyped dataset returns JSON text, as "
                  "nlohmann::json::dump() gives it; to return values, open dataset<T>");
  }
  // The other answers.
  RefreshAnswer(Refreshed<Value> refreshed) : answer_(std::move(refreshed)) {}
  RefreshAnswer(NotModified not_modified) : answer_(std::move(not_modified)) {}
  RefreshAnswer(NotFound not_found) : answer_(not_found) {}

  // Returns the answer itself, for the engine and for tests.
  std::variant<Refreshed<Value>, NotModified, NotFound>& get() { return answer_; }

 private:
  std::variant<Refreshed<Value>, NotModified, NotFound> answer_;
};

// Thrown by a callback to say when the source may be asked again (HTTP's Retry-After). Until then,
// but for a day at most, the source is not asked for the key, not even by `Dataset::refresh`. It
// speaks for its own source alone: the plain and the rich callback of a key do not hold each other
// up, while the callbacks of `Dataset::get_or_load` count as the plain one. A restart forgets it.
class RetryAfter : public std::runtime_error {
 public:
  // `why` is what the source said, for logs and `health`; it must hold no secrets.
  RetryAfter(std::chrono::milliseconds delay, const std::string& why)
      : std::runtime_error(why), delay_(delay) {}
  // How long the source asked to be left alone; less than zero counts as zero. The usual back-off
  // after a failure applies too, and with zero it is all there is.
  std::chrono::milliseconds delay() const { return delay_; }

 private:
  std::chrono::milliseconds delay_;
};

// Makes a refresh callback that cannot outlive what it uses, because it owns it. `function`
// captures nothing; it is called with the context and with const references to the copies of
// `values` that the callback keeps.
//
//     sessions.get_or_load("42", tiercache::owning(
//         [](RefreshContext& context, const std::string& user, const std::shared_ptr<Api>& api) {
//           return api->session_of(user, context.key());
//         },
//         user, api));
//
// It does not compile with a function that captures, or with a value that only refers to another (a
// pointer, a std::string_view, a std::reference_wrapper). A string literal is kept as a
// std::string. Several threads may call the callback at once, for several keys.
template <class Function, class... Values>
auto owning(Function function, Values&&... values) {
  return detail::make_owning(std::move(function), std::forward<Values>(values)...);
}

}  // namespace tiercache
