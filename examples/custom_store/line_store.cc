#include "custom_store/line_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "tiercache/glob.h"
#include "tiercache/store_rules.h"

namespace example {

using nlohmann::json;
using tiercache::Entry;
using tiercache::EntryKind;
using tiercache::EntryPtr;

namespace {

std::string error_text() {
  return std::generic_category().message(errno);
}

// --- Lines ---

template <class Time>
json to_json(const std::optional<Time>& time) {
  return time ? json(time->time_since_epoch().count()) : json(nullptr);
}

std::optional<tiercache::WallTime> time_of(const json& value) {
  if (value.is_null()) return std::nullopt;
  return tiercache::WallTime(std::chrono::milliseconds(value.get<std::int64_t>()));
}

std::string line_of(const std::string& project, const tiercache::EntryId& id, const Entry& entry) {
  json line = {{"project", project},
               {"dataset", id.dataset},
               {"key", id.key},
               {"version", entry.version.to_string()},
               {"checksum", entry.checksum.to_string()},
               {"document", entry.document ? json(*entry.document) : json(nullptr)},
               {"last_fetch", to_json(entry.clocks.last_fetch)},
               {"last_rich_fetch", to_json(entry.clocks.last_rich_fetch)},
               {"invalidated_at", to_json(entry.clocks.invalidated_at)},
               {"metadata", entry.metadata},
               {"cache_version", entry.cache_version},
               {"fresh_for", entry.fresh_for ? json(entry.fresh_for->count()) : json(nullptr)}};
  return line.dump() + '\n';
}

EntryPtr entry_of(const json& line) {
  auto entry = std::make_shared<Entry>();
  entry->version = tiercache::Version::parse(line.at("version").get<std::string>()).value();
  entry->checksum = tiercache::Checksum::parse(line.at("checksum").get<std::string>()).value();
  entry->kind = line.at("document").is_null() ? EntryKind::tombstone : EntryKind::document;
  if (entry->kind == EntryKind::document) {
    auto document = line.at("document").get<std::string>();
    if (tiercache::Checksum::of(document) != entry->checksum) {
      throw std::runtime_error("its checksum does not hold");
    }
    entry->document = std::make_shared<const std::string>(std::move(document));
  }
  entry->clocks = {time_of(line.at("last_fetch")), time_of(line.at("last_rich_fetch")),
                   time_of(line.at("invalidated_at"))};
  entry->metadata = line.at("metadata").get<std::string>();
  entry->cache_version = line.at("cache_version").get<std::string>();
  if (!line.at("fresh_for").is_null()) {
    entry->fresh_for = std::chrono::milliseconds(line.at("fresh_for").get<std::int64_t>());
  }
  return entry;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::uint64_t parse_cursor(const std::string& cursor) {
  std::uint64_t value = UINT64_MAX;
  std::from_chars(cursor.data(), cursor.data() + cursor.size(), value);
  return value;
}

}  // namespace

// --- The file ---

LineStore::LineStore(std::filesystem::path path, std::shared_ptr<tiercache::Clock> clock)
    : path_(std::move(path)), clock_(std::move(clock)) {
  read_file();
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) throw std::runtime_error(describe() + ": " + error_text());
  if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
    const std::string why = error_text();
    ::close(file_);
    throw std::runtime_error(describe() + ": " + why);
  }
}

LineStore::~LineStore() {
  ::close(file_);
}

void LineStore::read_file() {
  std::ifstream in(path_, std::ios::binary);
  std::string text;
  for (int number = 1; std::getline(in, text) && !in.eof(); ++number) {
    try {
      const json line = json::parse(text);
      put({{line.at("project"), {line.at("dataset"), line.at("key")}}, entry_of(line)});
    } catch (const std::exception& error) {
      throw std::runtime_error(describe() + ": line " + std::to_string(number) +
                               " cannot be read: " + error.what());
    }
    size_ += text.size() + 1;
  }
}

std::optional<std::string> LineStore::commit(const std::vector<Change>& changes) {
  if (changes.empty()) return std::nullopt;
  if (broken_) return "an earlier write failed half-way; open the store anew";
  std::string lines;
  for (const Change& change : changes) {
    lines += line_of(change.id.first, change.id.second, *change.entry);
  }
  if (!write_all(file_, lines) || ::fdatasync(file_) != 0) {
    const std::string why = error_text();
    broken_ = ::ftruncate(file_, static_cast<off_t>(size_)) != 0 || ::fdatasync(file_) != 0;
    return why;
  }
  size_ += lines.size();
  for (const Change& change : changes) put(change);
  return std::nullopt;
}

// --- The rows ---

void LineStore::put(const Change& change) {
  Row& row = rows_[change.id];
  recent_.erase(row.updated);
  row = {change.entry, ++updates_};
  recent_.emplace(row.updated, change.id);
}

EntryPtr LineStore::find(const RowId& id) const {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : found->second.entry;
}

bool LineStore::begin(tiercache::SteadyTime deadline, tiercache::StoreReply* reply) const {
  if (clock_->steady_now() >= deadline) {
    reply->status = tiercache::StoreStatus::unavailable;
    reply->message = "the deadline passed before the store was asked";
    return false;
  }
  reply->store_time = clock_->wall_now();
  return true;
}

// --- The port ---

tiercache::LoadReply LineStore::load(const std::string& project,
                                     std::span<const tiercache::EntryId> ids,
                                     tiercache::SteadyTime deadline) {
  std::lock_guard lock(mutex_);
  tiercache::LoadReply reply;
  if (!begin(deadline, &reply)) return reply;
  for (const auto& id : ids) reply.entries.push_back(find({project, id}));
  reply.corrupt.assign(ids.size(), false);
  return reply;
}

tiercache::SaveResult LineStore::decide(const RowId& id, const tiercache::StoreWrite& write,
                                        std::vector<Change>* changes) const {
  using tiercache::SaveOutcome;
  if (write.entry.document && write.entry.document->size() > limits().max_document_bytes) {
    return {SaveOutcome::refused, nullptr, "the document is larger than 64 MiB"};
  }
  EntryPtr row = find(id);
  for (const Change& earlier : *changes) {
    if (earlier.id == id) row = earlier.entry;
  }
  tiercache::AppliedWrite applied = tiercache::apply_write(row.get(), write);
  if (applied.row) {
    row = std::make_shared<const Entry>(std::move(*applied.row));
    changes->push_back({id, row});
  }
  return {applied.outcome, applied.outcome == SaveOutcome::superseded ? row : nullptr, {}};
}

tiercache::SaveReply LineStore::save(const std::string& project,
                                     std::span<const tiercache::StoreWrite> writes,
                                     tiercache::SteadyTime deadline) {
  std::lock_guard lock(mutex_);
  tiercache::SaveReply reply;
  if (!begin(deadline, &reply)) return reply;
  std::vector<Change> changes;
  for (const auto& write : writes) {
    reply.results.push_back(decide({project, write.id}, write, &changes));
  }
  if (const auto failure = commit(changes)) {
    // The lines may be on the disk all the same: in doubt, so the cache will ask again.
    reply = {};
    reply.status = tiercache::StoreStatus::unknown;
    reply.message = *failure;
  }
  return reply;
}

tiercache::ScanReply LineStore::scan(const std::string& project, const std::string& dataset,
                                     const std::string& cursor, std::size_t limit,
                                     tiercache::SteadyTime deadline) {
  std::lock_guard lock(mutex_);
  tiercache::ScanReply reply;
  if (!begin(deadline, &reply)) return reply;
  auto at = std::make_reverse_iterator(recent_.lower_bound(parse_cursor(cursor)));
  std::uint64_t last = 0;
  for (; at != recent_.rend(); ++at) {
    const auto& [updated, id] = *at;
    const EntryPtr entry = find(id);
    if (entry->kind == EntryKind::tombstone || id.first != project) continue;
    if (!dataset.empty() && id.second.dataset != dataset) continue;
    if (reply.entries.size() == std::max<std::size_t>(limit, 1)) {
      reply.next = std::to_string(last);
      break;
    }
    reply.entries.push_back({id.second, entry});
    last = updated;
  }
  return reply;
}

tiercache::EraseMatchingReply LineStore::erase_matching(const std::string& project,
                                                        const tiercache::MatchingErase& erase,
                                                        tiercache::SteadyTime deadline) {
  std::lock_guard lock(mutex_);
  tiercache::EraseMatchingReply reply;
  if (!begin(deadline, &reply)) return reply;
  std::vector<Change> changes;
  for (const auto& [id, row] : rows_) {
    if (id.first != project || id.second.dataset != erase.dataset) continue;
    if (row.entry->version >= erase.version) continue;
    if (!tiercache::glob_matches(erase.glob, id.second.key)) continue;
    if (row.entry->kind == EntryKind::document) ++reply.erased;
    changes.push_back(
        {id, std::make_shared<const Entry>(tiercache::tombstone_of(*row.entry, erase.version))});
  }
  if (const auto failure = commit(changes)) {
    reply = {};
    reply.status = tiercache::StoreStatus::unknown;
    reply.message = *failure;
  }
  return reply;
}

}  // namespace example
