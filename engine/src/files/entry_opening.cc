// How the file tier loads its index at open and saves it for the next open.
//
// The index only repeats what the files' headers say, so it may always be made anew from them; two
// files spare that work. `index` is left by a close, is complete, and is believed as it is.
// `index.saved` is written now and then while the cache works; it tells which files still look as
// they did, so that only the headers of the others are read. Two caches may open and close at the
// same time, and `index` must then not lack what the other one writes. Each does two steps in this
// order:
//
//     the closing cache                        the opening cache
//     1. writes `index`                        1. takes its slot
//     2. looks for other slots, and removes    2. reads `index` and puts it aside
//        `index` if there is one
//
// Whichever comes first, either the opening cache finds a whole `index`, or the closing one sees it
// and removes `index`. If two caches were open at the same time, `index.shared` says so, and the
// last one to close leaves no `index`.
#include <utility>
#include <vector>

#include "files/entry_files_impl.h"

namespace tiercache {
namespace {

constexpr std::size_t kMaxIndexBytes = std::size_t{1} << 31;
// The headers of so many files are asked for at once, since a disk brings them in faster together.
constexpr std::size_t kReadAhead = 128;
// An index is saved again once a tenth of it has changed, but not for fewer changes than this.
constexpr std::uint64_t kUnsavedPart = 10;
constexpr std::uint64_t kMinUnsaved = 16;

}  // namespace

// --- Opening ---

IoStatus EntryFiles::Impl::take_slot() {
  bool alone = true;
  folder.look_at_disk();
  IoStatus status = folder.open(&alone);
  if (status.ok() && !alone) status = file_system.write_file(shared_path(), {});
  return status;
}

void EntryFiles::Impl::stay_away(const IoStatus& why) {
  Lock lock(away_mutex);
  away = why;
}

IoStatus EntryFiles::Impl::load_index(bool* complete) {
  *complete = read_index(index_path(), &index, nullptr);
  return put_index_aside(*complete);
}

// A complete `index` becomes `index.saved`, because the files will soon be ahead of it; one that
// cannot be read is removed.
IoStatus EntryFiles::Impl::put_index_aside(bool complete) {
  IoStatus status = complete ? file_system.rename(index_path(), saved_path())
                             : file_system.remove_file(index_path());
  if (!status.ok() && !status.absent()) return status;
  // Otherwise a power loss could bring `index` back, and it would be believed although files have
  // changed since.
  return file_system.sync_directory(directory);
}

bool EntryFiles::Impl::read_index(const std::string& path, Index* out, FileTime* trusted_to) const {
  std::string bytes;
  return file_system.read_file(path, kMaxIndexBytes, &bytes).ok() && out->decode(bytes, trusted_to);
}

// Looks at every file, and reads the headers of those that look other than the saved index has
// them.
IoStatus EntryFiles::Impl::index_files() {
  Index saved;
  FileTime trusted_to = 0;
  if (!read_index(saved_path(), &saved, &trusted_to)) trusted_to = 0;
  PrintsMet met(saved.prints());
  const FileTime now = folder.file_time();
  headers_read = 0;
  std::vector<FoundFile> unknown;
  const auto read_unknown = [&] {
    folder.will_read(unknown);
    for (const FoundFile& file : unknown) {
      // A file that changed a moment ago may look the same after its next change, so that its print
      // would prove nothing.
      const bool sure = unchanged_since(now, file.info);
      take_into_index(file.path, sure ? print_of(file.path, file.info) : 0);
    }
    headers_read += unknown.size();
    unknown.clear();
  };
  const IoStatus status = folder.walk([&](FoundFile file) {
    if (unchanged_since(trusted_to, file.info) && met.meet(print_of(file.path, file.info))) return;
    unknown.push_back(std::move(file));
    if (unknown.size() == kReadAhead) read_unknown();
  });
  read_unknown();
  index.take_met(std::move(saved), met);
  return status;
}

IoStatus EntryFiles::Impl::take_into_index(const std::string& path, FilePrint print) {
  const FileState state = folder.read_header(path, nullptr);
  if (state.status == FileState::Status::sound) {
    index.put(state.id, index_item(*state.entry, state.size, print));
  } else if (state.is_corrupt()) {
    look_again(path, nullptr);
  }
  return state.status == FileState::Status::failed ? state.io : IoStatus{};
}

// --- Saving ---

bool EntryFiles::Impl::is_save_due() const {
  const std::uint64_t unsaved = index.changes() - changes_saved.load();
  return unsaved >= kMinUnsaved && unsaved >= index.size() / kUnsavedPart;
}

// The changes are counted as saved at the start. A save that fails is thus not tried again until as
// much has changed once more; otherwise a full disk would be written to in vain again and again.
void EntryFiles::Impl::begin_saving(FileTime trusted_to) {
  Lock lock(saving_mutex);
  if (saving || !writable.load()) return;
  changes_saved = index.changes();
  saving = std::make_unique<IndexSaving>(file_system, folder.workspace(), index, trusted_to,
                                         saved_path());
}

IoStatus EntryFiles::Impl::go_on_saving(bool* more) {
  *more = false;
  Lock lock(saving_mutex);
  if (!saving) return {};
  IoStatus status = saving->step(more);
  if (!*more || !status.ok()) saving.reset();
  *more = saving != nullptr;
  return status;
}

// Nothing is saved or written any more until the next `open`.
void EntryFiles::Impl::abandon_saving() {
  Lock lock(saving_mutex);
  writable = false;
  saving.reset();
}

// --- Closing ---

// The index that is left is believed without a look at the files. So all files are synced first,
// and it is left only if no other cache can have written some.
IoStatus EntryFiles::Impl::leave_index() {
  {
    Lock lock(saving_mutex);
    saving.reset();
  }
  if (!folder.stands()) return {ENOENT, "the directory was deleted or replaced"};
  bool alone = false;
  IoStatus status = folder.workspace().look_around(&alone);
  if (!status.ok() || !alone) return status;
  FileInfo shared;
  status = file_system.info(shared_path(), &shared);
  if (status.ok()) return file_system.remove_file(shared_path());
  if (!status.absent()) return status;
  const FileTime now = folder.file_time();
  status = folder.sync_all();
  if (status.ok()) status = write_index(now);
  if (status.ok()) status = folder.workspace().look_around(&alone);
  file_system.remove_file(status.ok() && alone ? saved_path() : index_path());
  return status;
}

IoStatus EntryFiles::Impl::write_index(FileTime trusted_to) {
  IndexSaving final_one(file_system, folder.workspace(), index, trusted_to, index_path());
  IoStatus status;
  for (bool more = true; more && status.ok();) status = final_one.step(&more);
  return status.ok() ? file_system.sync_directory(directory) : status;
}

}  // namespace tiercache
