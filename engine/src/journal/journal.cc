#include "journal/journal.h"

#include <cerrno>
#include <utility>

#include "base/disk_refusal.h"
#include "base/same_file.h"
#include "journal/journal_impl.h"

namespace tiercache {
namespace {

// Notes beyond this are dropped: without them a write is merely sent again at the next open.
constexpr std::size_t kMaxNotes = 1 << 16;
// How many names are tried for the folder before giving up.
constexpr int kNamesTried = 8;

IoStatus closed_status() {
  return {EBADF, "the journal is closed"};
}

}  // namespace

QueuedRecord marker(RecordKind kind, const SlotName& slot, Version version) {
  QueuedRecord queued;
  queued.record.kind = kind;
  queued.record.subject = slot.kind;
  queued.record.id = slot.id;
  queued.record.entry.version = version;
  return queued;
}

std::string owner_path(const JournalFolder& of) {
  return of.path + "/owner";
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// --- The folder ---

IoStatus Journal::Impl::make_folder(std::shared_ptr<JournalFolder>* out) {
  IoStatus status;
  for (int tries = 0; tries < kNamesTried; ++tries) {
    // One that was deleted may still be tidied up: its name is not used again.
    const int number = names_used++;
    auto made = std::make_shared<JournalFolder>();
    made->own = true;
    made->path = options.directory + "/" + options.name;
    if (number != 0) made->path.append("-").append(std::to_string(number));
    FileInfo info;
    if (file_system->info(made->path, &info).ok()) continue;
    status = file_system->make_directories(made->path);
    if (!status.ok()) return status;
    status = lock_folder(made.get());
    // An adopter may take a folder in the instant between its making and its locking.
    if (status.error == EAGAIN || status.absent()) continue;
    if (!status.ok()) {
      file_system->remove_tree(made->path);  // on a full disk it may have been the last inode
      return status;
    }
    *out = std::move(made);
    return {};
  }
  return status.ok() ? IoStatus{EEXIST, "journal folder " + options.name + " exists already"}
                     : status;
}

IoStatus Journal::Impl::lock_folder(JournalFolder* made) {
  IoStatus status = file_system->try_lock(owner_path(*made), &made->lock);
  if (!status.ok()) return status;
  made->owner = identity_of(*file_system, owner_path(*made));
  status = file_system->sync_directory(made->path);
  if (status.ok()) status = file_system->sync_directory(options.directory);
  if (status.ok()) status = file_system->sync_directory(parent_of(options.directory));
  return status;
}

std::shared_ptr<JournalFolder> Journal::Impl::missing_folder() const {
  auto missing = std::make_shared<JournalFolder>();
  missing->path = options.directory + "/" + options.name;
  missing->own = true;
  missing->gone = true;
  return missing;
}

IoStatus Journal::Impl::come_back() {
  {
    Lock lock(mutex);
    if (!folder) return closed_status();
    if (away.ok()) return {};
    if (writing) return {EAGAIN, "the journal is being written"};
    writing = true;
  }
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = make_folder(&made);
  {
    Lock lock(mutex);
    away = status;
    if (folder && status.ok()) folder = std::move(made);
  }
  std::vector<QueuedRecord> nothing;
  run_round(Sync::no, &nothing);
  while (!commit()) {
  }
  return status;
}

void Journal::Impl::let_go() {
  current = {};
  left_behind.clear();
  current_number = 0;
  segments.clear();
  kept.clear();
  folder.reset();
}

void Journal::Impl::close() {
  {
    Lock lock(mutex);
    if (!folder) return;
  }
  write_notes();
  std::vector<QueuedRecord> refused;
  std::shared_ptr<JournalFolder> emptied;
  {
    Lock lock(mutex);
    refused.swap(queue);
    if (index.live_records() == 0 && !writing) emptied = folder;
    if (writing) {
      folder.reset();  // the thread that is writing lets go of the rest
    } else {
      let_go();
    }
  }
  if (emptied) file_system->remove_tree(emptied->path);
  for (const QueuedRecord& queued : refused) {
    if (queued.done) queued.done({AppendStatus::not_applied, closed_status()});
  }
}

bool Journal::Impl::delete_segment(const JournalSegment& segment) {
  const IoStatus removed = file_system->remove_file(segment.path);
  if (!removed.ok() && !removed.absent()) return false;
  // A guarding erase may go after this segment: its folder is another one, so only a sync orders
  // the two.
  if (segment.folder->own) return true;
  const IoStatus synced = file_system->sync_directory(segment.folder->path);
  return synced.ok() || synced.absent();
}

// Of what a dead owner left it is not known whether it was synced: until it is copied forward a
// power loss may take it, and then what it made dead elsewhere has to be there still.
bool Journal::Impl::holds_untrusted() const {
  for (const auto& [number, segment] : segments) {
    if (!segment->folder->own && !segment->unreadable && index.live_in(number) > 0) return true;
  }
  return false;
}

void Journal::Impl::trim() {
  for (;;) {
    std::vector<SegmentPtr> gone;
    {
      Lock lock(mutex);
      if (!folder || holds_untrusted()) return;
      for (std::uint64_t number : index.dead_segments()) {
        const SegmentPtr& segment = segments.at(number);
        if (number == current_number || segment->going || segment->stuck) continue;
        segment->going = true;
        gone.push_back(segment);
      }
    }
    if (gone.empty()) return;
    // One that stays is still counted, so that what guards against its records stays too.
    std::vector<SegmentPtr> stuck;
    std::erase_if(gone, [&](const SegmentPtr& segment) {
      if (delete_segment(*segment)) return false;
      stuck.push_back(segment);
      return true;
    });
    std::vector<std::shared_ptr<JournalFolder>> emptied;
    {
      Lock lock(mutex);
      if (!folder) return;
      for (const SegmentPtr& segment : stuck) {
        segment->stuck = true;
        segment->going = false;
      }
      for (const SegmentPtr& segment : gone) {
        segments.erase(segment->number);
        index.remove_segment(segment->number);
        JournalFolder& of = *segment->folder;
        if (--of.segments == 0 && !of.own && !of.keep) emptied.push_back(segment->folder);
      }
    }
    for (const auto& old : emptied) file_system->remove_tree(old->path);
  }
}

// --- Queueing ---

void Journal::Impl::append(QueuedRecord queued) {
  {
    Lock lock(mutex);
    if (folder) {
      queue.push_back(std::move(queued));
      return;
    }
  }
  if (queued.done) queued.done({AppendStatus::not_applied, closed_status()});
}

void Journal::Impl::note_settled(const SlotName& slot, Version version, const Clocks& clocks) {
  if (notes.size() >= kMaxNotes) return;
  QueuedRecord note = marker(RecordKind::done, slot, version);
  note.record.entry.clocks = clocks;
  note.payload = encode_record(note.record);
  notes.insert_or_assign(slot, std::move(note));
}

void Journal::Impl::settled(const UnsettledWrite& write, Settlement how) {
  const Entry& entry = write.write.entry;
  const SlotName slot = slot_of(write);
  const bool with_clocks = how == Settlement::saved || write.kind == RecordKind::clocks;
  {
    Lock lock(mutex);
    if (!folder || !index.settle(slot, entry.version, entry.clocks, with_clocks)) return;
    // A guard may have refused it for an older entry, which takes its place in the files only now.
    // Until that is done a crash must leave it to be sent, and refused, once more.
    const bool refused_by_guard = how == Settlement::superseded && write.write.not_newer_than &&
                                  write.kind == RecordKind::content;
    if (!refused_by_guard) note_settled(slot, entry.version, entry.clocks);
    if (with_clocks && write.kind == RecordKind::content) {
      note_settled({RecordKind::clocks, slot.id}, entry.version, entry.clocks);
    }
  }
  trim();
}

JournalStats Journal::Impl::figures() const {
  Lock lock(mutex);
  JournalStats stats = counters;
  stats.live_records = index.live_records();
  stats.live_bytes = index.live_bytes();
  stats.unsettled = index.unsettled();
  stats.parked = index.parked_count();
  stats.parked_bytes = index.parked_bytes();
  stats.segments = segments.size();
  for (const auto& [number, segment] : segments) stats.disk_bytes += segment->file_bytes;
  return stats;
}

// --- The public face ---

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Journal::~Journal() {
  impl_->close();
}

IoStatus Journal::open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, const AllRecovered& all_recovered,
                       std::unique_ptr<Journal>* out) {
  out->reset();
  auto impl = std::make_unique<Impl>(std::move(file_system), options);
  std::shared_ptr<JournalFolder> made;
  const IoStatus status = impl->make_folder(&made);
  if (!status.ok() && !refuses_for_now(status.error)) return status;
  {
    Lock lock(impl->mutex);
    impl->folder = status.ok() ? std::move(made) : impl->missing_folder();
    impl->away = status;
  }
  out->reset(new Journal(std::move(impl)));
  return (*out)->adopt(recovered, all_recovered);
}

IoStatus Journal::adopt(const Recovered& recovered, const AllRecovered& all_recovered) {
  return impl_->adopt(recovered, all_recovered);
}

void Journal::close() {
  impl_->close();
}

IoStatus Journal::away() const {
  Lock lock(impl_->mutex);
  return impl_->away;
}

IoStatus Journal::come_back() {
  return impl_->come_back();
}

void Journal::append(Record record, Done done) {
  QueuedRecord queued;
  queued.payload = encode_record(record);
  record.entry.document.reset();
  queued.record = std::move(record);
  queued.done = std::move(done);
  impl_->append(std::move(queued));
}

bool Journal::commit() {
  return impl_->commit();
}

bool Journal::cover_file_write(const EntryId& id, Version version) {
  Lock lock(impl_->mutex);
  return impl_->folder && impl_->index.cover_file_write(id, version);
}

void Journal::file_written(const EntryId& id, Version version, const Clocks& clocks) {
  Lock lock(impl_->mutex);
  impl_->index.file_written(id, version, clocks);
}

void Journal::files_erased(const EntryId& glob, Version version) {
  Lock lock(impl_->mutex);
  impl_->index.files_erased(glob, version);
}

std::uint64_t Journal::files_mark() const {
  Lock lock(impl_->mutex);
  return impl_->index.files_mark();
}

void Journal::files_synced(std::uint64_t mark) {
  {
    Lock lock(impl_->mutex);
    impl_->index.files_synced(mark);
  }
  impl_->trim();
}

void Journal::settled(const UnsettledWrite& write, Settlement how) {
  impl_->settled(write, how);
}

std::vector<UnsettledWrite> Journal::take_unsettled(
    std::size_t limit, std::size_t max_bytes, const std::function<bool(const SlotName&)>& apart) {
  return impl_->take([&]() TIERCACHE_REQUIRES(impl_->mutex) {
    return impl_->index.take(limit, max_bytes, apart);
  });
}

bool Journal::has_unsettled(const std::function<bool(const SlotName&)>& apart) const {
  Lock lock(impl_->mutex);
  return impl_->index.has_unsettled(apart);
}

std::vector<UnsettledWrite> Journal::take_named(std::span<const SlotName> slots) {
  return impl_->take(
      [&]() TIERCACHE_REQUIRES(impl_->mutex) { return impl_->index.take_named(slots); });
}

void Journal::release(std::span<const UnsettledWrite> writes, Release how) {
  Lock lock(impl_->mutex);
  for (const UnsettledWrite& write : writes) {
    impl_->index.release(slot_of(write), write.write.entry.version, how == Release::hold);
  }
}

void Journal::resume() {
  Lock lock(impl_->mutex);
  impl_->index.resume();
}

std::optional<Record> Journal::live_content(const EntryId& id) const {
  return impl_->live_content(id);
}

Clocks Journal::live_clocks(const EntryId& id) const {
  SlotPlaces places;
  Clocks clocks;
  Lock lock(impl_->mutex);
  impl_->index.find_clocks(id, &places, &clocks);
  return clocks;
}

bool Journal::is_unsettled(const EntryId& id, Version* version) const {
  Lock lock(impl_->mutex);
  return impl_->index.is_unsettled(id, version);
}

bool Journal::holds(const EntryId& id) const {
  Lock lock(impl_->mutex);
  return impl_->index.holds(id);
}

std::optional<Guard> Journal::guard_of(const EntryId& id, Version version) const {
  Lock lock(impl_->mutex);
  return impl_->index.guard_of(id, version);
}

bool Journal::awaits_store(RecordKind kind, const EntryId& id) const {
  Lock lock(impl_->mutex);
  return impl_->index.awaits_store({kind, id});
}

std::optional<Version> Journal::erased_below(const EntryId& id) const {
  Lock lock(impl_->mutex);
  return impl_->index.erased_below(id);
}

IoStatus Journal::compact(Compact how) {
  return impl_->compact(how);
}

JournalStats Journal::stats() const {
  return impl_->figures();
}

}  // namespace tiercache
