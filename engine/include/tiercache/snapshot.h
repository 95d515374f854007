// The result of a read: an immutable value shared with the memory tier, and where it came from.
//
//     const auto rates = dataset.get();
//     if (!rates) return unavailable(rates.passage().summary());
//     if (rates.freshness() == Freshness::stale) warn(rates.age());
//     return rates->at("EUR");
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tiercache/codec.h"
#include "tiercache/detail/read_result.h"
#include "tiercache/entry.h"
#include "tiercache/outcome.h"
#include "tiercache/version.h"

namespace tiercache {

// The result of a read. A miss is a snapshot without a value. Snapshots are cheap to copy, and keep
// their value for ever, whatever happens to the cache. Several threads may read one object at once.
template <class T>
class Snapshot {
 public:
  // What it holds: T, or std::string if the dataset is untyped.
  using value_type = ValueType<T>;

  // A snapshot without a value.
  Snapshot() = default;
  // For `Dataset`.
  explicit Snapshot(detail::ReadResult result) : result_(std::move(result)) {}

  // Returns whether there is a value: that of an entry, or the dataset's fallback.
  bool has_value() const { return result_.resident != nullptr; }
  // The same, for use in conditions.
  explicit operator bool() const { return has_value(); }

  // Returns the value. Throws `NoData`, which names each tier's answer, if there is none.
  const value_type& operator*() const { return *get(); }
  // Reaches a member of the value. Throws as `*` does.
  const value_type* operator->() const { return get(); }
  // Returns the value with shared ownership; null if there is none.
  std::shared_ptr<const value_type> share() const {
    return has_value() ? std::shared_ptr<const value_type>(result_.resident, get()) : nullptr;
  }

  // Returns the tier that served; `none` for a miss or a fallback document.
  Tier tier() const { return result_.tier; }
  // Returns how old the value was when it was served, counted from the start of the fetch that
  // produced or confirmed it. Zero for a miss or a fallback.
  std::chrono::milliseconds age() const { return result_.age; }
  // Returns what the dataset's policy made of that age when it was served; `expired` for a miss or
  // a fallback.
  Freshness freshness() const { return result_.freshness; }
  // Returns whether the value is the dataset's fallback document, which belongs to no entry.
  bool is_fallback() const { return has_value() && result_.tier == Tier::none; }

  // Returns the entry's version, for compare-and-set (`PutOptions::if_version`); zero if there is
  // no value, and for a fallback. No value does not always mean that there is no entry: it may have
  // expired, not decode, or not be readable just now, and then the zero version never matches. To
  // compare and set, read with `.max_stale = std::chrono::milliseconds::max()`, which does not hide
  // an expired entry.
  Version version() const { return has_value() ? entry().version : Version{}; }
  // Returns the checksum of the document as it was put, which can serve as an ETag; zero if there
  // is no value.
  Checksum checksum() const { return has_value() ? entry().checksum : Checksum{}; }
  // Returns when the entry was fetched and invalidated; all absent if there is no value.
  Clocks clocks() const { return has_value() ? entry().clocks : Clocks{}; }
  // Returns the entry's metadata, a JSON object; empty if there is no value. The text lives as long
  // as a copy of this snapshot.
  std::string_view metadata() const { return has_value() ? entry().metadata : std::string_view(); }
  // Returns the JSON text as it was put. If the entry came from a store that keeps values, as JSONB
  // does, it is another text of the same value (`Entry::text_checksum`). Empty if there is no
  // value. The text lives as long as a copy of this snapshot.
  std::string_view document() const {
    return has_value() && entry().document ? std::string_view(*entry().document)
                                           : std::string_view();
  }

  // Returns what each tier answered, and why. Show only its `summary()` to those who do not run the
  // service.
  Passage passage() const { return detail::passage_of(result_); }
  // Returns whether there is no value and some tier says that the entry was erased. That may be
  // local knowledge while the source, which may have it again, has failed: `passage().source` says.
  bool gone() const { return !has_value() && says(TierAnswer::gone); }
  // Returns whether there is no value and the source said, now or within `not_found_for`, that
  // there is no such document.
  bool not_found() const { return !has_value() && says(TierAnswer::not_found); }

 private:
  const Entry& entry() const { return result_.resident->entry; }
  const value_type* get() const {
    if (!result_.resident) detail::throw_no_data(result_);
    if constexpr (std::is_same_v<T, JsonText>) {
      return result_.resident->entry.document.get();
    } else {
      return static_cast<const value_type*>(result_.resident->value.get());
    }
  }
  bool says(TierAnswer answer) const {
    const Passage passage = detail::passage_of(result_);
    return passage.memory == answer || passage.files == answer || passage.store == answer ||
           passage.source == answer;
  }

  detail::ReadResult result_;
};

}  // namespace tiercache
