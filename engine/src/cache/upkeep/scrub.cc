#include "cache/upkeep/scrub.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tiercache/error.h"

namespace tiercache::detail {

namespace {

constexpr std::size_t kLargestPage = 10'000;

// A file that is newer than the index is fine: another process's write, or one of this moment.
bool differs(const IndexItem& item, const Entry& file) {
  if (file.version != item.version) return file.version < item.version;
  return item.kind != file.kind || item.checksum != file.checksum;
}

}  // namespace

Scrub::Scrub(const UpkeepParts& parts, ScrubOptions options)
    : runtime_(parts.runtime),
      local_(parts.local),
      file_writer_(parts.file_writer),
      bounds_(parts.bounds),
      calls_(parts.calls),
      identity_(parts.identity),
      horizon_(parts.horizon),
      store_writer_(parts.store_writer),
      options_(std::move(options)),
      deadline_(parts.runtime.after(options_.deadline)) {
  if (options_.page == 0 || options_.page > kLargestPage) {
    throw BadConfiguration("the scrub cannot work:\n  page = " + std::to_string(options_.page) +
                           ": must be 1 to 10,000 keys");
  }
}

ScrubReport Scrub::run() {
  std::vector<std::string> datasets = local_.index().datasets();
  if (!options_.dataset.empty()) datasets = {options_.dataset};
  if (calls_.uses_store() && calls_.store()->has_purge() && may_go_on()) {
    horizon_known_ = horizon_.learn(Breaker::Urgency::forced, deadline_);
  }
  for (const std::string& dataset : datasets) run_dataset(dataset);
  if (report_.repaired > 0) {
    file_writer_.flush();
    if (!file_writer_.sync()) stop("the disk did not take what was mended for good");
    store_writer_.kick();
  }
  report_.complete = !stopped_;
  const bool all = report_.complete && options_.dataset.empty() && report_.failed == 0;
  // Everything that a reset or restored store lacked is on its way there now, so the store is
  // accepted.
  if (options_.repair && all) identity_.accept();
  runtime_.log.info(LogTopic::lifecycle, "scrub: {}", report_.to_string());
  return report_;
}

void Scrub::run_dataset(const std::string& dataset) {
  std::optional<std::string> after;
  while (may_go_on()) {
    const std::vector<Item> items = local_.index().items(dataset, after, options_.page);
    if (items.empty()) return;
    after = items.back().first;
    look_at_page(dataset, items);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline_ - runtime_.clock->steady_now());
    const auto rest = std::min(options_.pause, left);
    if (rest.count() > 0) runtime_.pause(rest);
  }
}

bool Scrub::may_go_on() {
  if (!runtime_.is_open()) stop("the cache was closed");
  if (runtime_.clock->steady_now() >= deadline_) stop("the deadline passed");
  return !stopped_;
}

void Scrub::stop(const std::string& why) {
  stopped_ = true;
  report_.why = why;
}

void Scrub::look_at_page(const std::string& dataset, std::span<const Item> items) {
  std::vector<Subject> subjects;
  for (const auto& [key, item] : items) {
    ++report_.keys;
    Subject subject;
    if (look_here({dataset, key}, item, &subject)) subjects.push_back(std::move(subject));
  }
  if (calls_.uses_store()) compare(subjects);
}

bool Scrub::look_here(const EntryId& id, const IndexItem& item, Subject* subject) {
  *subject = {.id = id, .file = nullptr, .known = item.version};
  FileReadResult file = local_.read_file(id);
  switch (file.status) {
    case FileReadResult::Status::found:
      break;
    case FileReadResult::Status::corrupt:
      ++report_.file_corrupt;
      if (options_.repair && write_from_memory(id, item.version)) return false;
      subject->lost = subject->corrupt = true;
      return true;
    case FileReadResult::Status::absent:
      if (item.kind == EntryKind::tombstone) return false;  // purged, by whichever process
      subject->lost = true;
      if (const auto again = file_again(id); !calls_.uses_store() && again && !*again) {
        ++report_.file_lost;
        write_from_memory(id, item.version);
      }
      return true;
    case FileReadResult::Status::other_format:
      return false;
    case FileReadResult::Status::failed:
      mended(false, file.why);
      return false;
  }
  const auto again = differs(item, *file.entry) ? file_again(id) : std::nullopt;
  if (again && *again && differs(item, **again)) {
    ++report_.index_wrong;
    if (options_.repair) ++report_.repaired;
  }
  look_into_memory(id, *file.entry);
  subject->file = std::move(file.entry);
  return true;
}

// Asks the journal first: once that has let go of a write, the file is there.
std::optional<EntryPtr> Scrub::file_again(const EntryId& id) {
  if (local_.journal().holds(id)) return std::nullopt;
  return local_.read_file(id).entry;
}

bool Scrub::write_from_memory(const EntryId& id, Version at_least) {
  const DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr) return false;
  const MemoryTier::Found found = local_.memory().peek(dataset->ref(id.key));
  if (!found.resident || found.resident->kind == ResidentKind::not_found) return false;
  if (found.outdated || found.resident->entry.version < at_least) return false;
  file_writer_.write_soon(id);
  mended(true, {});
  return true;
}

bool Scrub::memory_differs(const EntryId& id, const Entry& file) const {
  const DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr || local_.journal().holds(id)) return false;
  const MemoryTier::Found found = local_.memory().peek(dataset->ref(id.key));
  if (!found.resident || found.pinned || found.outdated) return false;
  if (found.resident->kind == ResidentKind::not_found) return false;
  return found.resident->entry.version != file.version;
}

void Scrub::look_into_memory(const EntryId& id, const Entry& file) {
  if (!memory_differs(id, file)) return;
  const EntryPtr again = local_.files().read(id).entry;
  if (!again || !memory_differs(id, *again)) return;
  ++report_.memory_differs;
  if (!options_.repair) return;
  const DatasetState& dataset = *runtime_.datasets.find(id.dataset);
  const ResidentPtr resident = local_.memory().peek(dataset.ref(id.key)).resident;
  if (resident && resident->entry.version > again->version) {
    file_writer_.write_soon(id);
  } else if (resident) {
    local_.forget_in_memory(id, resident->entry.version);
  }
  mended(true, {});
}

void Scrub::compare(const std::vector<Subject>& subjects) {
  std::vector<EntryId> ids;
  for (const Subject& subject : subjects) ids.push_back(subject.id);
  if (ids.empty()) return;
  // Without the horizon a purged tombstone could be taken for one that the store has lost.
  if (!horizon_known_) return stop("the store did not say how far it has purged");
  const LoadReply rows = calls_.load(ids, deadline_, Breaker::Urgency::forced);
  if (rows.status != StoreStatus::ok) return stop(rows.message);
  for (std::size_t i = 0; i < subjects.size() && !stopped_; ++i) {
    const Subject& subject = subjects[i];
    if (local_.journal().holds(subject.id) || !local_.known(nullptr, subject.id).erased.is_zero()) {
      ++report_.unsettled;
    } else if (subject.lost ||
               difference(subject, rows.entries[i], rows.is_corrupt(i)) != Difference::none) {
      confirm(subject);
    }
  }
}

// True if the row's clocks are later than those of the file, which is of the same version.
bool Scrub::brings_clocks(const Entry& row, const Subject& subject) const {
  const Clocks& here = subject.file->clocks;
  Clocks there = local_.believable_clocks(subject.id, row);
  // An invalidation in the future counts as one of now, that is, as another one at each look; one
  // that has made the file's document stale is all that can be had of it.
  const bool is_ahead = row.clocks.invalidated_at > there.invalidated_at;
  const bool is_stale = here.invalidated_at && here.invalidated_at >= here.last_fetch;
  if (is_ahead && is_stale) there.invalidated_at.reset();
  Clocks merged = here;
  merged.merge(there);
  return merged != here;
}

Scrub::Difference Scrub::difference(const Subject& subject, const EntryPtr& row,
                                    bool corrupt) const {
  const EntryPtr& file = subject.file;
  if (!file) return row && !corrupt ? Difference::store_ahead : Difference::none;
  if (corrupt) return Difference::store_corrupt;
  if (!row) {
    // Once the horizon has passed a tombstone, the store itself refuses what the tombstone stands
    // against.
    const bool purged = file->kind == EntryKind::tombstone && file->version <= horizon_.version();
    return purged ? Difference::none : Difference::store_missing;
  }
  if (row->version < file->version) return Difference::store_behind;
  if (row->version > file->version) return Difference::store_ahead;
  if (row->kind != file->kind || row->checksum != file->checksum) return Difference::store_differs;
  return brings_clocks(*row, subject) ? Difference::store_ahead : Difference::none;
}

void Scrub::confirm(Subject subject) {
  subject.file = local_.files().read(subject.id).entry;
  const LoadReply rows = calls_.load({&subject.id, 1}, deadline_, Breaker::Urgency::forced);
  if (rows.status != StoreStatus::ok) return stop(rows.message);
  if (local_.journal().holds(subject.id)) return;
  const Difference found = difference(subject, rows.entries.front(), rows.is_corrupt(0));
  if (subject.lost) {
    if (subject.file) return;
    // Some process may have evicted it, as the store has the row.
    const EntryPtr& row = rows.entries.front();
    const bool evicted = bounds_.are_set() && row && row->version >= subject.known;
    if (!subject.corrupt && evicted) return;
    if (!subject.corrupt) ++report_.file_lost;
    if (!options_.repair) return;
    // Nobody has it any more: the next read is a miss, and asks the source.
    return found == Difference::none ? mended(true, {})
                                     : mend(subject, found, rows.entries.front());
  }
  if (found == Difference::none) return;
  ++count_of(found);
  if (options_.repair) mend(subject, found, rows.entries.front());
}

void Scrub::mend(const Subject& subject, Difference difference, const EntryPtr& row) {
  const bool takes =
      difference == Difference::store_ahead || difference == Difference::store_differs;
  // A repairing scrub of all datasets says that this store is meant, whichever it is; a scrub of
  // one dataset says no such thing.
  if (takes && !options_.dataset.empty() && !identity_.may_keep()) {
    return mended(false,
                  "the directory belongs to another store; nothing of this one is kept before "
                  "accept_store or a scrub of all datasets");
  }
  switch (difference) {
    case Difference::none:
      return;
    case Difference::store_ahead:
      return take_row(subject, row);
    case Difference::store_missing:
      // Erased and purged while this directory was away.
      if (const auto deleted = horizon_.deleted_up_to();
          deleted && local_.drop_deleted(subject.id, *deleted)) {
        return mended(true, {});
      }
      [[fallthrough]];
    case Difference::store_behind:
    case Difference::store_corrupt:
      return mended(send_again(subject.id, *subject.file), "the journal did not take a write");
    case Difference::store_differs: {
      const FileWriteResult written = local_.files().replace(subject.id, row->version, *row);
      local_.forget_in_memory(subject.id, row->version);
      return mended(written.status == FileWriteResult::Status::done, written.io.what);
    }
  }
}

void Scrub::mended(bool done, const std::string& why) {
  if (done) {
    ++report_.repaired;
  } else {
    ++report_.failed;
    report_.why = why;
  }
}

void Scrub::take_row(Subject subject, const EntryPtr& row) {
  local_.take_rows({{subject.id, row}});
  subject.file = local_.files().read(subject.id).entry;
  mended(subject.file && difference(subject, row, false) != Difference::store_ahead,
         "an entry file was not written");
}

bool Scrub::send_again(const EntryId& id, const Entry& entry) {
  auto status = std::make_shared<AppendStatus>(AppendStatus::not_applied);
  auto appended = runtime_.executor->make_event();
  store_writer_.send_again(id, entry, std::nullopt, [status, appended](const AppendResult& result) {
    *status = result.status;
    appended->set();
  });
  return appended->wait_until(deadline_) && *status == AppendStatus::durable;
}

std::uint64_t& Scrub::count_of(Difference difference) {
  switch (difference) {
    case Difference::none:
    case Difference::store_ahead:
      break;
    case Difference::store_behind:
      return report_.store_behind;
    case Difference::store_missing:
      return report_.store_missing;
    case Difference::store_corrupt:
      return report_.store_corrupt;
    case Difference::store_differs:
      return report_.store_differs;
  }
  return report_.store_ahead;
}

}  // namespace tiercache::detail
