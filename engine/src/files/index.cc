#include "files/index.h"

#include <utility>

namespace tiercache {
namespace {

// How many items `for_each` copies under the lock at a time.
constexpr std::size_t kSlice = 256;

}  // namespace

void Index::Dataset::count(const IndexItem& item) {
  if (item.kind != EntryKind::document) return;
  ++documents;
  bytes += item.size;
}

void Index::Dataset::uncount(const IndexItem& item) {
  if (item.kind != EntryKind::document) return;
  --documents;
  bytes -= item.size;
}

std::optional<IndexItem> Index::find(const EntryId& id) const {
  Lock lock(mutex_);
  const auto dataset = datasets_.find(id.dataset);
  if (dataset == datasets_.end()) return std::nullopt;
  const auto item = dataset->second.items.find(id.key);
  if (item == dataset->second.items.end()) return std::nullopt;
  return item->second;
}

void Index::put(const EntryId& id, const IndexItem& item) {
  Lock lock(mutex_);
  Dataset& dataset = datasets_[id.dataset];
  const auto [known, added] = dataset.items.try_emplace(id.key, item);
  if (added) {
    dataset.count(item);
    return;
  }
  if (known->second.version > item.version) return;
  dataset.uncount(known->second);
  dataset.count(item);
  IndexItem next = item;
  if (known->second.version == item.version) next.clocks.merge(known->second.clocks);
  known->second = next;
}

void Index::clear() {
  Lock lock(mutex_);
  datasets_.clear();
}

void Index::remove(const EntryId& id, Version up_to) {
  Lock lock(mutex_);
  const auto dataset = datasets_.find(id.dataset);
  if (dataset == datasets_.end()) return;
  const auto item = dataset->second.items.find(id.key);
  if (item == dataset->second.items.end() || item->second.version > up_to) return;
  dataset->second.uncount(item->second);
  dataset->second.items.erase(item);
  if (dataset->second.items.empty()) datasets_.erase(dataset);
}

std::vector<std::string> Index::page(std::string_view dataset,
                                     std::optional<std::string_view> after,
                                     std::size_t limit) const {
  Lock lock(mutex_);
  std::vector<std::string> keys;
  const auto found = datasets_.find(dataset);
  if (found == datasets_.end()) return keys;
  const auto& items = found->second.items;
  for (auto item = after ? items.upper_bound(*after) : items.begin();
       item != items.end() && keys.size() < limit; ++item) {
    if (item->second.kind == EntryKind::document) keys.push_back(item->first);
  }
  return keys;
}

std::vector<std::pair<std::string, IndexItem>> Index::items(std::string_view dataset,
                                                            const std::optional<std::string>& after,
                                                            std::size_t limit) const {
  Lock lock(mutex_);
  std::vector<std::pair<std::string, IndexItem>> slice;
  const auto found = datasets_.find(dataset);
  if (found == datasets_.end()) return slice;
  const auto& all = found->second.items;
  for (auto item = after ? all.upper_bound(*after) : all.begin();
       item != all.end() && slice.size() < limit; ++item) {
    slice.push_back(*item);
  }
  return slice;
}

void Index::for_each(
    std::string_view dataset,
    const std::function<void(const std::string& key, const IndexItem&)>& visit) const {
  std::optional<std::string> after;
  std::vector<std::pair<std::string, IndexItem>> slice;
  do {
    slice = items(dataset, after, kSlice);
    for (const auto& [key, item] : slice) visit(key, item);
    if (!slice.empty()) after = slice.back().first;
  } while (slice.size() == kSlice);
}

std::vector<std::string> Index::datasets() const {
  Lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, dataset] : datasets_) names.push_back(name);
  return names;
}

std::uint64_t Index::count(std::string_view dataset) const {
  Lock lock(mutex_);
  const auto found = datasets_.find(dataset);
  return found == datasets_.end() ? 0 : found->second.documents;
}

std::uint64_t Index::size() const {
  Lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [name, dataset] : datasets_) sum += dataset.items.size();
  return sum;
}

Index::Totals Index::totals() const {
  Lock lock(mutex_);
  Totals totals;
  for (const auto& [name, dataset] : datasets_) {
    totals.documents += dataset.documents;
    totals.bytes += dataset.bytes;
  }
  return totals;
}

}  // namespace tiercache
