#include "cache/upkeep/file_eviction.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tiercache::detail {

namespace {

// Choosing walks the whole index, so a sixteenth of all entries is chosen at once: however many
// have to go, the index is walked sixteen times at most, and the choice takes a fraction of the
// index's memory.
constexpr std::uint64_t kChosenPart = 16;
constexpr std::uint64_t kMinChosen = 2'000;
constexpr std::size_t kTurn = 2'000;  // of them, before others on the lane have theirs
constexpr std::size_t kLooksAtOnce = 100;
// When to try again if nothing could be evicted, because the store is away or lacks the entries.
constexpr std::chrono::milliseconds kRetry{30'000};

}  // namespace

void FileEviction::begin_if_full() {
  if (bounds_.are_exceeded() && !running_.exchange(true)) schedule(std::chrono::milliseconds(0));
}

void FileEviction::schedule(std::chrono::milliseconds delay) {
  runtime_.tasks.while_open(runtime_.after(delay), Lane::store, [this] { run(); });
}

// One turn looks at kTurn candidates at most; the next one goes on after them. So does the next
// eviction, but those that could not go are asked about again once they have had the time to come
// to the store.
void FileEviction::run() {
  const SteadyTime now = runtime_.clock->steady_now();
  const bool goes_on = !chosen_.empty();
  if (!passed_ || (!goes_on && now - began_ >= kRetry)) {
    start_over();
    began_ = now;
  }
  if (left_.empty()) choose();
  Progress progress = Progress::none;
  for (std::size_t looked_at = 0; looked_at < kTurn;) {
    const auto batch = next_batch();
    if (batch.empty()) break;
    progress = evict(batch);
    if (progress == Progress::store_away) break;
    if (progress == Progress::some) file_writer_.sync_soon();
    passed_ = batch.back();
    left_ = left_.subspan(batch.size());
    looked_at += batch.size();
  }
  if (bounds_.are_exceeded()) {
    const bool more = progress != Progress::store_away && !(left_.empty() && all_chosen_);
    if (!more) start_over();
    return schedule(more ? std::chrono::milliseconds(0) : kRetry);
  }
  left_ = {};
  chosen_ = {};
  running_ = false;
  begin_if_full();
}

void FileEviction::start_over() {
  passed_.reset();
  left_ = {};
  chosen_ = {};
}

std::span<const FileEviction::Candidate> FileEviction::next_batch() const {
  const Index::Totals needed = bounds_.excess();
  Index::Totals sum;
  std::size_t count = 0;
  while (count < left_.size() && count < kLooksAtOnce &&
         (sum.documents < needed.documents || sum.bytes < needed.bytes)) {
    ++sum.documents;
    sum.bytes += left_[count++].item.size;
  }
  return left_.first(count);
}

// Keeps the `limit` entries that should go first. The heap's top is the one of them that should
// stay longest, and is replaced when an entry is met that should go before it.
void FileEviction::choose() {
  const Index& index = local_.index();
  const std::uint64_t limit = std::max(kMinChosen, index.totals().documents / kChosenPart);
  chosen_.clear();
  for (const std::string& name : index.datasets()) {
    const DatasetState* dataset = runtime_.datasets.find(name);
    index.for_each(name, [&](const std::string& key, const IndexItem& item) {
      // A dataset of one document has no other that could be more worth its place.
      if (item.kind != EntryKind::document || key.empty()) return;
      if (local_.journal().holds({name, key})) return;
      Candidate one{local_.is_in_memory(dataset, key),
                    item.clocks.last_fetch.value_or(WallTime{}),
                    {name, key},
                    item};
      if (passed_ && !(*passed_ < one)) return;
      chosen_.push_back(std::move(one));
      std::push_heap(chosen_.begin(), chosen_.end());
      if (chosen_.size() <= limit) return;
      std::pop_heap(chosen_.begin(), chosen_.end());
      chosen_.pop_back();
    });
  }
  std::sort_heap(chosen_.begin(), chosen_.end());
  left_ = chosen_;
  all_chosen_ = chosen_.size() < limit;
}

FileEviction::Progress FileEviction::evict(std::span<const Candidate> candidates) {
  std::vector<EntryId> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  const LoadReply rows = calls_.load(ids, kNever, Breaker::Urgency::background);
  if (rows.status != StoreStatus::ok || !runtime_.is_open()) return Progress::store_away;
  Progress progress = Progress::none;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (evict_one(candidates[i], rows.entries[i])) progress = Progress::some;
  }
  return progress;
}

bool FileEviction::evict_one(const Candidate& candidate, const EntryPtr& row) {
  const IndexItem& item = candidate.item;
  // Somebody has read it since it was chosen, which may be a while ago, so others should go first
  // now.
  const DatasetState* dataset = runtime_.datasets.find(candidate.id.dataset);
  if (!candidate.in_memory && local_.is_in_memory(dataset, candidate.id.key)) return false;
  const bool in_store = row && (row->version > item.version ||
                                (row->version == item.version && row->checksum == item.checksum));
  if (!in_store || !local_.evict(candidate.id, item.version, *row)) return false;
  evicted_.add();
  return true;
}

}  // namespace tiercache::detail
