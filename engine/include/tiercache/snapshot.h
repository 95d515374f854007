// What a read gives: an immutable value shared with the memory tier, and where it came from.
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

// What a read gave. Cheap to copy. Keeps its value for ever, whatever happens to the cache. A miss
// is a snapshot without a value. Reading one object from several threads is safe.
template <class T>
class Snapshot {
 public:
  // What it holds: T, or std::string where the dataset is untyped.
  using value_type = ValueType<T>;

  // Without a value.
  Snapshot() = default;
  // For `Dataset`.
  explicit Snapshot(detail::ReadResult result) : result_(std::move(result)) {}

  // There is a value: that of an entry, or the dataset's fallback.
  bool has_value() const { return result_.resident != nullptr; }
  // The same, for use in conditions.
  explicit operator bool() const { return has_value(); }

  // The value; throws `NoData`, naming what each tier answered, when there is none.
  const value_type& operator*() const { return *get(); }
  // A member of the value; throws as `*` does.
  const value_type* operator->() const { return get(); }
  // The value with shared ownership; null when there is none.
  std::shared_ptr<const value_type> share() const {
    return has_value() ? std::shared_ptr<const value_type>(result_.resident, get()) : nullptr;
  }

  // The tier that served; `none` for a miss or a fallback document.
  Tier tier() const { return result_.tier; }
  // Since the start of the fetch that produced or confirmed the value, when it was served.
  std::chrono::milliseconds age() const { return result_.age; }
  // How old that makes it, by the dataset's policy, when it was served; `expired` for a miss.
  Freshness freshness() const { return result_.freshness; }
  // The value is the dataset's fallback document, which belongs to no entry.
  bool is_fallback() const { return has_value() && result_.tier == Tier::none; }

  // The entry's version, for compare-and-set (`PutOptions::if_version`); zero when there is none.
  Version version() const { return has_value() ? entry().version : Version{}; }
  // The checksum of the document as it was put, which makes an ETag; zero when there is none.
  Checksum checksum() const { return has_value() ? entry().checksum : Checksum{}; }
  // When the entry was fetched and invalidated; all absent when there is none.
  Clocks clocks() const { return has_value() ? entry().clocks : Clocks{}; }
  // The entry's metadata, a JSON object; empty when there is no value.
  std::string_view metadata() const { return has_value() ? entry().metadata : std::string_view(); }
  // The JSON text as put, or another text of the same value where the store keeps values, as JSONB
  // does, and the entry came from there (`Entry::text_checksum`).
  std::string_view document() const {
    return has_value() && entry().document ? std::string_view(*entry().document)
                                           : std::string_view();
  }

  // What each tier that was asked said, and why. To those who do not run the service: `summary()`
  // of it.
  Passage passage() const { return detail::passage_of(result_); }
  // The entry was erased and nothing has replaced it.
  bool gone() const { return !has_value() && says(TierAnswer::gone); }
  // The source said that there is no such document.
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
