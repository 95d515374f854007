#include "cache/file_eviction.h"

#include <algorithm>
#include <chrono>
#include <queue>
#include <utility>

#include "cache/core.h"
#include "cache/file_writer.h"

namespace tiercache::detail {

namespace {

// Below a bound by this part there is room again.
constexpr std::uint64_t kRoom = 20;
constexpr std::size_t kCandidates = 2'000;
constexpr std::size_t kRowsAtOnce = 100;
// Until another attempt where nothing could go: the store is away or lacks what is here.
constexpr std::chrono::milliseconds kRetry{30'000};

std::uint64_t above(std::uint64_t have, std::uint64_t bound) {
  const std::uint64_t wanted = bound - bound / kRoom;
  return bound != 0 && have > wanted ? have - wanted : 0;
}

bool over(std::uint64_t have, std::uint64_t bound) {
  return bound != 0 && have > bound;
}

}  // namespace

bool FileEviction::is_bounded() const {
  const FileOptions& files = core_.options.files;
  return core_.store && (files.max_bytes != 0 || files.max_entries != 0);
}

bool FileEviction::is_full() const {
  if (!is_bounded()) return false;
  const Index::Totals totals = core_.files->index().totals();
  return over(totals.bytes, core_.options.files.max_bytes) ||
         over(totals.documents, core_.options.files.max_entries);
}

Index::Totals FileEviction::excess() const {
  const Index::Totals totals = core_.files->index().totals();
  return {.documents = above(totals.documents, core_.options.files.max_entries),
          .bytes = above(totals.bytes, core_.options.files.max_bytes)};
}

void FileEviction::look() {
  if (is_full() && !running_.exchange(true)) schedule(std::chrono::milliseconds(0));
}

void FileEviction::schedule(std::chrono::milliseconds delay) {
  core_.executor->schedule(core_.after(delay), Lane::store, [weak = core_.weak_from_this()] {
    if (const auto core = weak.lock(); core && core->is_open()) core->file_eviction->run();
  });
}

// A turn looks at so many at most; the next goes on after them, until all were looked at.
void FileEviction::run() {
  const SteadyTime now = core_.clock->steady_now();
  if (!passed_ || now - began_ >= kRetry) {
    passed_.reset();
    began_ = now;
  }
  const std::vector<Candidate> candidates = choose();
  std::span<const Candidate> left(candidates);
  Progress progress = Progress::none;
  while (progress != Progress::store_away) {
    const auto batch = next_of(left);
    if (batch.empty()) break;
    left = left.subspan(batch.size());
    progress = evict(batch);
    if (progress != Progress::store_away) passed_ = batch.back();
    if (progress == Progress::some) core_.file_writer->touched();
  }
  if (is_full()) {
    const bool more = progress != Progress::store_away && candidates.size() == kCandidates;
    if (!more) passed_.reset();
    return schedule(more ? std::chrono::milliseconds(0) : kRetry);
  }
  running_ = false;
  look();
}

std::span<const FileEviction::Candidate> FileEviction::next_of(
    std::span<const Candidate> candidates) const {
  const Index::Totals needed = excess();
  Index::Totals sum;
  std::size_t count = 0;
  while (count < candidates.size() && count < kRowsAtOnce &&
         (sum.documents < needed.documents || sum.bytes < needed.bytes)) {
    ++sum.documents;
    sum.bytes += candidates[count++].item.size;
  }
  return candidates.first(count);
}

// The first of what stays is on top of the queue, and gives way to what has to go before it.
std::vector<FileEviction::Candidate> FileEviction::choose() const {
  const Index& index = core_.files->index();
  std::priority_queue<Candidate> chosen;
  for (const std::string& name : index.datasets()) {
    const DatasetState* dataset = core_.find_dataset(name);
    index.for_each(name, [&](const std::string& key, const IndexItem& item) {
      // A dataset of one document has no other that could be more worth its place.
      if (item.kind != EntryKind::document || key.empty()) return;
      if (core_.journal->holds({name, key})) return;
      const bool in_memory =
          dataset != nullptr && core_.memory->peek(dataset->ref(key)).resident != nullptr;
      Candidate one{in_memory, item.clocks.last_fetch.value_or(WallTime{}), {name, key}, item};
      if (passed_ && !(*passed_ < one)) return;
      chosen.push(std::move(one));
      if (chosen.size() > kCandidates) chosen.pop();
    });
  }
  std::vector<Candidate> in_order;
  for (; !chosen.empty(); chosen.pop()) in_order.push_back(chosen.top());
  std::reverse(in_order.begin(), in_order.end());
  return in_order;
}

FileEviction::Progress FileEviction::evict(std::span<const Candidate> candidates) {
  std::vector<EntryId> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  const LoadReply rows = core_.load_rows(ids, kNever, Breaker::Urgency::background);
  if (rows.status != StoreStatus::ok || !core_.is_open()) return Progress::store_away;
  Progress progress = Progress::none;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (evict_one(candidates[i], rows.entries[i])) progress = Progress::some;
  }
  return progress;
}

// What the journal holds has yet to reach the store or its file. A write that comes meanwhile is of a
// newer version, and its file stays.
bool FileEviction::evict_one(const Candidate& candidate, const EntryPtr& row) {
  const IndexItem& item = candidate.item;
  const bool in_store = row && (row->version > item.version ||
                                (row->version == item.version && row->checksum == item.checksum));
  if (!in_store || core_.journal->holds(candidate.id)) return false;
  const FileWriteResult removed = core_.files->remove(candidate.id, item.version);
  if (removed.status != FileWriteResult::Status::written) return false;
  const DatasetState* dataset = core_.find_dataset(candidate.id.dataset);
  if (core_.journal->holds(candidate.id)) {
    core_.keep_in_files(candidate.id, *row);  // its clocks moved meanwhile
    return false;
  }
  if (dataset != nullptr) core_.memory->remove(dataset->ref(candidate.id.key), item.version);
  core_.scheduler->disarm(candidate.id);
  evicted_.add();
  return true;
}

}  // namespace tiercache::detail
