#include <utility>

#include "base/key_ref.h"
#include "files/entry_files_impl.h"
#include "json/envelope.h"
#include "tiercache/store_rules.h"

namespace tiercache {
namespace {

using WriteStatus = FileWriteResult::Status;
using Durability = Workspace::Durability;

std::uint64_t size_of(const Entry& entry) {
  return entry.document ? entry.document->size() : 0;
}

// True for an entry that only moves the clocks of the version that is there.
bool moves_clocks_only(const Entry& entry) {
  return entry.kind == EntryKind::document && !entry.document;
}

bool same_entry(const Entry& a, const Entry& b) {
  return a.kind == b.kind && a.version == b.version && a.checksum == b.checksum &&
         a.text_checksum == b.text_checksum && a.clocks == b.clocks && a.metadata == b.metadata &&
         a.cache_version == b.cache_version && a.fresh_for == b.fresh_for;
}

// Merges two states of one version. The one that was fetched later decides the metadata, each clock
// becomes the later one, and the text as it was put is preferred to a store's rendering of it.
Entry merged(const Entry& entry, const Entry& there) {
  const bool complete = entry.document || entry.kind == EntryKind::tombstone;
  const bool as_put = !entry.text_checksum || !there.document;
  Entry out = complete && as_put ? entry : there;
  out.clocks = there.clocks;
  out.metadata = there.metadata;
  merge_clocks(&out, entry.clocks, entry.metadata, true);
  if (out.metadata.empty()) out.metadata = "{}";
  return out;
}

}  // namespace

// What the path holds, called in its turn, as far as a write of `compared_with` has to know it: of
// an older file only the header is read, any other is verified whole. A corrupt file is moved aside
// and counts as absent.
FileState EntryFiles::Impl::standing(const EntryId& id, const std::string& path,
                                     Version compared_with) {
  FileState state = folder.read_header(path, &id);
  if (state.status == FileState::Status::sound && state.entry->version >= compared_with) {
    state = folder.read(path, &id);
  }
  if (!state.is_corrupt()) return state;
  FileState after;
  after.io = folder.quarantine(path, state);
  if (!after.io.ok()) {
    after.status = FileState::Status::failed;
  } else {
    index.remove(id, kAnyVersion);
  }
  return after;
}

IoStatus EntryFiles::Impl::stage(const EntryId& id, const Entry& entry, Durability durability,
                                 std::string* temp) {
  const std::string bytes = encode_envelope(project, id, entry);
  if (bytes.size() > max_file_bytes) {
    return {EFBIG, "write an entry of " + std::to_string(bytes.size()) + " bytes: files may have " +
                       std::to_string(max_file_bytes)};
  }
  if (bytes.find('\n') >= kMaxHeaderBytes) {
    return {EFBIG, "write an entry whose header is longer than " + std::to_string(kMaxHeaderBytes) +
                       " bytes"};
  }
  return folder.workspace().stage(bytes, durability, temp);
}

// Stages the file that will probably be wanted, before the key's turn; `apply` decides in it. Does
// nothing if the file there is newer or already the same.
IoStatus EntryFiles::Impl::prepare(const EntryId& id, const Entry& entry, Sync sync,
                                   Staged* staged) {
  const std::string path = entry_path(id);
  FileState there = folder.read_header(path, &id);
  staged->entry = entry;
  if (there.status == FileState::Status::sound && there.entry->version >= entry.version) {
    there = folder.read(path, &id);
    if (there.status == FileState::Status::sound) {
      if (there.entry->version > entry.version) return {};
      staged->entry = merged(entry, *there.entry);
      if (sync != Sync::anew && same_entry(staged->entry, *there.entry)) return {};
    }
  }
  if (moves_clocks_only(staged->entry)) return {};
  const Durability durability = folder.syncs_together() ? Durability::unsynced : Durability::synced;
  return stage(id, staged->entry, durability, &staged->temp);
}

FileWriteResult EntryFiles::Impl::take_turn(const EntryId& id, const Entry& entry, Sync sync,
                                            Staged* staged) {
  FileWriteResult result;
  IoStatus turn = folder.in_turn(entry_path(id), [&] { result = apply(id, entry, sync, staged); });
  return turn.ok() ? result : outcome(std::move(turn));
}

// Decides in the key's turn what becomes of a write. `staged`, where given, is used if it is what
// is wanted. On a disk where one syncfs is enough it also means that everything there before was
// synced.
FileWriteResult EntryFiles::Impl::apply(const EntryId& id, const Entry& entry, Sync sync,
                                        Staged* staged) {
  const std::string path = entry_path(id);
  const FileState there = standing(id, path, entry.version);
  if (there.status == FileState::Status::failed) return {WriteStatus::failed, nullptr, there.io};
  if (there.status == FileState::Status::other_format) {
    return failed(ENOTSUP, "write \"" + path + "\": the file is of a newer format, " + there.why);
  }
  if (there.status == FileState::Status::sound && there.entry->version >= entry.version) {
    return apply_to_known(id, path, entry, there, sync, staged);
  }
  if (moves_clocks_only(entry)) {
    return failed(ENODATA, "move the clocks of \"" + path + "\": this version is not there");
  }
  const Durability durability = sync == Sync::none ? Durability::unsynced : Durability::synced;
  return replace(id, path, entry, durability, staged);
}

// Called where the file has the write's version or a newer one.
FileWriteResult EntryFiles::Impl::apply_to_known(const EntryId& id, const std::string& path,
                                                 const Entry& entry, const FileState& there,
                                                 Sync sync, Staged* staged) {
  if (there.entry->version == entry.version) {
    const Entry wanted = merged(entry, *there.entry);
    // The file may be left over from a sync that failed. Syncing it again would prove nothing, so
    // it is written anew.
    const bool all_synced = staged != nullptr && folder.syncs_together();
    const bool doubted = sync == Sync::anew || (sync == Sync::before && !all_synced);
    if (doubted || !same_entry(wanted, *there.entry)) {
      return replace(id, path, wanted, Durability::synced, staged);
    }
  }
  know(id, path, *there.entry, there.size);
  if (there.entry->version > entry.version) return {WriteStatus::newer_there, there.entry, {}};
  return {};
}

FileWriteResult EntryFiles::Impl::replace(const EntryId& id, const std::string& path,
                                          const Entry& entry, Durability durability,
                                          Staged* staged) {
  std::string temp;
  IoStatus io;
  if (staged != nullptr && !staged->temp.empty() && same_entry(staged->entry, entry)) {
    temp.swap(staged->temp);
  } else {
    io = stage(id, entry, durability, &temp);
  }
  if (io.ok()) io = folder.place(temp, path);
  if (io.ok()) {
    tell_others(id);
    know(id, path, entry, size_of(entry));
  }
  return outcome(std::move(io));
}

FileWriteResult EntryFiles::Impl::rewrite(const EntryId& id, const Entry* entry) {
  const std::string path = entry_path(id);
  const FileState there = folder.read(path, &id);
  const bool sound = there.status == FileState::Status::sound;
  if (there.status == FileState::Status::failed) return {WriteStatus::failed, nullptr, there.io};
  if (there.status == FileState::Status::other_format) return {};
  if (there.is_corrupt()) {
    if (IoStatus io = folder.quarantine(path, there); !io.ok()) return outcome(std::move(io));
  }
  if (!sound && entry == nullptr) return {};
  if (!sound || (entry != nullptr && entry->version > there.entry->version)) {
    return replace(id, path, *entry, Durability::unsynced, nullptr);
  }
  // An entry that no journal record holds exists nowhere else, so it is synced first.
  const bool covered = entry != nullptr && same_entry(*entry, *there.entry);
  return replace(id, path, *there.entry, covered ? Durability::unsynced : Durability::synced,
                 nullptr);
}

FileWriteResult EntryFiles::Impl::remove(const EntryId& id, Version up_to) {
  const std::string path = entry_path(id);
  FileState there = folder.read_header(path, &id);
  if (there.status == FileState::Status::sound && there.entry->version > up_to) {
    there = folder.read(path, &id);
    if (there.status == FileState::Status::sound) {
      return {WriteStatus::newer_there, there.entry, {}};
    }
  }
  IoStatus io;
  if (there.is_corrupt()) {
    io = folder.quarantine(path, there);
  } else if (there.status == FileState::Status::sound) {
    io = folder.remove(path);
  } else if (there.status == FileState::Status::other_format) {
    return failed(ENOTSUP, "remove \"" + path + "\": the file is of a newer format, " + there.why);
  } else if (there.status == FileState::Status::failed) {
    io = there.io;
  }
  if (io.ok()) {
    tell_others(id);
    index.remove(id, kAnyVersion);
  }
  return outcome(std::move(io));
}

void EntryFiles::Impl::tell_others(const EntryId& id) {
  if (generations) generations->changed(shared_hash(id.dataset, id.key));
}

bool EntryFiles::Impl::refuses(FileWriteResult* result) const {
  if (writable.load()) return false;
  Lock lock(away_mutex);
  *result = away.ok() ? failed(ESHUTDOWN, "write an entry file: the file tier is not open")
                      : outcome(away);
  return true;
}

}  // namespace tiercache
