#include "files/index/index.h"

#include <utility>

namespace tiercache {
namespace {

// How many items `for_each` copies at a time under the lock.
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

void Index::Dataset::count_all() {
  documents = 0;
  bytes = 0;
  for (const auto& [key, item] : items) count(item);
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
  take(id, item);
}

void Index::put_older(const EntryId& id, const IndexItem& item) {
  Lock lock(mutex_);
  const auto dataset = datasets_.find(id.dataset);
  if (dataset != datasets_.end()) {
    const auto known = dataset->second.items.find(id.key);
    if (known != dataset->second.items.end() && known->second.version > item.version) {
      ++changes_;
      dataset->second.uncount(known->second);
      dataset->second.count(item);
      known->second = item;
      return;
    }
  }
  take(id, item);
}

void Index::take(const EntryId& id, const IndexItem& item) {
  if (item.print != 0) ++changes_;
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
  // A print belongs to one state of the file. If merging has made the item differ from it, nothing
  // is known of a file that would say so; if the item stays as it was, its print stays too.
  if (next != item) next.print = 0;
  if (next.print == 0 && next == known->second) next.print = known->second.print;
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
  ++changes_;
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

std::uint64_t Index::changes() const {
  Lock lock(mutex_);
  return changes_;
}

std::vector<FilePrint> Index::prints() const {
  std::vector<FilePrint> prints;
  prints.reserve(size());
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) {
    for (const auto& [key, item] : dataset.items) {
      if (item.print != 0) prints.push_back(item.print);
    }
  }
  return prints;
}

// Most items come from the saved index, so the few that are known here are put into it, and not the
// other way round.
void Index::take_met(Index&& saved, const PrintsMet& met) {
  Datasets datasets;
  {
    Lock lock(saved.mutex_);
    datasets.swap(saved.datasets_);
  }
  for (auto& [name, dataset] : datasets) {
    std::erase_if(dataset.items, [&](const auto& item) { return !met.was_met(item.second.print); });
  }
  Lock lock(mutex_);
  for (auto& [name, known] : datasets_) {
    Dataset& dataset = datasets[name];
    for (auto& [key, item] : known.items) dataset.items.insert_or_assign(key, item);
  }
  for (auto& [name, dataset] : datasets) dataset.count_all();
  std::erase_if(datasets, [](const auto& dataset) { return dataset.second.items.empty(); });
  datasets_ = std::move(datasets);
}

}  // namespace tiercache
