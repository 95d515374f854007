// Not for direct use: the bodies of `Dataset<T>`, which wraps `DatasetCore`.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tiercache/dataset.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/detail/untyped.h"

namespace tiercache {

template <class T>
const std::string& Dataset<T>::name() const {
  return core_->name();
}

template <class T>
Snapshot<T> Dataset<T>::get(std::string_view key, const GetOptions& options) const {
  return Snapshot<T>(core_->get(key, options));
}

template <class T>
Snapshot<T> Dataset<T>::peek(std::string_view key) const {
  return Snapshot<T>(core_->peek(key));
}

template <class T>
std::vector<Snapshot<T>> Dataset<T>::get_many(std::span<const std::string> keys,
                                              const GetOptions& options) const {
  std::vector<Snapshot<T>> snapshots;
  snapshots.reserve(keys.size());
  for (auto& result : core_->get_many(keys, options)) snapshots.emplace_back(std::move(result));
  return snapshots;
}

template <class T>
void Dataset<T>::get_async(std::string key, const GetOptions& options,
                           std::function<void(Snapshot<T>)> handler) const {
  core_->get_async(std::move(key), options, [handler = std::move(handler)](detail::ReadResult r) {
    if (handler) handler(Snapshot<T>(std::move(r)));
  });
}

template <class T>
Snapshot<T> Dataset<T>::get_or_load(std::string_view key, RefreshFunction callback,
                                    std::optional<std::chrono::milliseconds> ttl,
                                    const GetOptions& options) const {
  return Snapshot<T>(
      core_->get_or_load(key, detail::untyped_callback<T>(std::move(callback)), ttl, options));
}

template <class T>
Snapshot<T> Dataset<T>::refresh(std::string_view key, std::chrono::milliseconds deadline) const {
  return Snapshot<T>(core_->refresh(key, deadline));
}

template <class T>
PutReceipt Dataset<T>::put(std::string_view key, const value_type& value,
                           const PutOptions& options) const {
  return core_->put(detail::put_item<T>(key, value), options);
}

template <class T>
std::vector<PutReceipt> Dataset<T>::put_many(
    std::span<const std::pair<std::string, value_type>> values, const PutOptions& options) const {
  std::vector<detail::PutItem> items;
  items.reserve(values.size());
  for (const auto& [key, value] : values) items.push_back(detail::put_item<T>(key, value));
  return core_->put_many(std::move(items), options);
}

template <class T>
void Dataset<T>::put_async(std::string key, const value_type& value, const PutOptions& options,
                           std::function<void(PutReceipt, std::exception_ptr)> handler) const {
  core_->put_async(detail::put_item<T>(key, value), options, std::move(handler));
}

template <class T>
PutReceipt Dataset<T>::erase(std::string_view key, const PutOptions& options) const {
  return core_->erase(key, options);
}

template <class T>
PutReceipt Dataset<T>::erase_matching(std::string_view glob, const PutOptions& options) const {
  return core_->erase_matching(glob, options);
}

template <class T>
PutReceipt Dataset<T>::invalidate(std::string_view key, const PutOptions& options) const {
  return core_->invalidate(key, options);
}

template <class T>
bool Dataset<T>::contains(std::string_view key) const {
  return core_->contains(key);
}

template <class T>
std::optional<EntryInfo> Dataset<T>::info(std::string_view key) const {
  return core_->info(key);
}

template <class T>
KeyPage Dataset<T>::keys(std::optional<std::string_view> after, std::size_t limit) const {
  return core_->keys(after, limit);
}

}  // namespace tiercache
