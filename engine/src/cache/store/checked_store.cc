#include "cache/store/checked_store.h"

#include <exception>
#include <utility>

#include "base/guarded_call.h"
#include "base/spoken.h"
#include "json/envelope.h"

namespace tiercache::detail {

namespace {

// Reasons are for people to read, and are kept in the journal, so they are cut to a sensible
// length.
constexpr std::size_t kLongestWhy = 4'096;

template <class Reply>
Reply contradiction(const std::string& what) {
  Reply reply;
  reply.status = StoreStatus::unknown;
  reply.message = "the store contradicts itself: " + what;
  return reply;
}

bool is_whole(const Entry& entry) {
  if (!entry.metadata.empty() && !is_metadata(entry.metadata)) return false;
  if (entry.kind == EntryKind::tombstone) return !entry.document;
  if (entry.kind != EntryKind::document || !entry.document) return false;
  return Checksum::of(*entry.document) == entry.text_checksum.value_or(entry.checksum);
}

bool is_known(SaveOutcome outcome) {
  switch (outcome) {
    case SaveOutcome::saved:
    case SaveOutcome::already_saved:
    case SaveOutcome::superseded:
    case SaveOutcome::refused:
      return true;
  }
  return false;
}

// Says why this cannot be the answer to one write; empty if it can.
std::string fault_of(const StoreWrite& write, const SaveResult& result) {
  if (!is_known(result.outcome)) return "an outcome that there is not";
  if (!result.current) return {};
  if (!is_whole(*result.current)) return "the row that won does not hold its checksum";
  const bool older = result.current->version < write.entry.version;
  const bool plain = write.kind == StoreWrite::Kind::content && !write.not_newer_than;
  const bool lost = result.outcome == SaveOutcome::superseded && plain && older;
  return lost ? "a write was superseded by an older row" : std::string();
}

// An entry that fails its checksum is reported as corrupt, with its bytes, which are to be kept
// aside.
void check_entry(std::size_t i, LoadReply* reply) {
  const EntryPtr& entry = reply->entries[i];
  if (!entry || is_whole(*entry)) return;
  reply->corrupt.resize(reply->entries.size());
  reply->corrupt_text.resize(reply->entries.size());
  reply->corrupt[i] = true;
  if (entry->document) reply->corrupt_text[i] = entry->document;
  reply->entries[i] = nullptr;
}

}  // namespace

CheckedStore::CheckedStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}

std::string CheckedStore::describe() const {
  try {
    return store_->describe();
  } catch (...) {
    return "a store that cannot say what it is";
  }
}

LoadReply CheckedStore::load(const std::string& project, std::span<const EntryId> ids,
                             SteadyTime deadline) {
  LoadReply reply = guarded([&] { return store_->load(project, ids, deadline); });
  if (reply.status != StoreStatus::ok) return reply;
  if (reply.entries.size() != ids.size()) {
    return contradiction<LoadReply>(counted(reply.entries.size(), "entry", "entries") + " for " +
                                    counted(ids.size(), "key"));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) check_entry(i, &reply);
  return reply;
}

SaveReply CheckedStore::save(const std::string& project, std::span<const StoreWrite> writes,
                             SteadyTime deadline) {
  SaveReply reply = guarded([&] { return store_->save(project, writes, deadline); });
  if (reply.status != StoreStatus::ok) return reply;
  if (reply.results.size() != writes.size()) {
    return contradiction<SaveReply>(counted(reply.results.size(), "result") + " for " +
                                    counted(writes.size(), "write"));
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const std::string fault = fault_of(writes[i], reply.results[i]);
    if (!fault.empty()) return contradiction<SaveReply>(fault);
    std::string& why = reply.results[i].why;
    if (why.size() > kLongestWhy) why.resize(kLongestWhy);
  }
  return reply;
}

ScanReply CheckedStore::scan(const std::string& project, const std::string& dataset,
                             const std::string& cursor, std::size_t limit, SteadyTime deadline) {
  ScanReply reply =
      guarded([&] { return store_->scan(project, dataset, cursor, limit, deadline); });
  if (reply.status != StoreStatus::ok) return reply;
  if (!reply.next.empty() && reply.next == cursor) {
    return contradiction<ScanReply>("the next page is this one");
  }
  std::erase_if(reply.entries, [](const ScannedEntry& scanned) {
    return !scanned.entry || scanned.entry->kind != EntryKind::document ||
           !is_whole(*scanned.entry);
  });
  return reply;
}

EraseMatchingReply CheckedStore::erase_matching(const std::string& project,
                                                const MatchingErase& erase, SteadyTime deadline) {
  EraseMatchingReply reply =
      guarded([&] { return store_->erase_matching(project, erase, deadline); });
  const bool stuck = reply.next && erase.after && *reply.next <= *erase.after;
  if (reply.status == StoreStatus::ok && stuck) {
    return contradiction<EraseMatchingReply>("the next piece of an erase is not behind this one");
  }
  return reply;
}

ChangesReply CheckedStore::changes(const std::string& project, const std::string& cursor,
                                   std::size_t limit, SteadyTime deadline) {
  ChangesReply reply = guarded([&] { return store_->changes(project, cursor, limit, deadline); });
  if (reply.status == StoreStatus::ok && reply.more && reply.next == cursor) {
    return contradiction<ChangesReply>("there are more changes, and the place is the same");
  }
  return reply;
}

std::shared_ptr<ChangeWatch> CheckedStore::watch_changes(const std::string& project,
                                                         std::function<void()> hint) {
  try {
    return store_->watch_changes(project, std::move(hint));
  } catch (...) {
    return nullptr;  // the polls alone tell
  }
}

PurgeReply CheckedStore::purge(const std::string& project, const PurgeRequest& request,
                               SteadyTime deadline) {
  return guarded([&] { return store_->purge(project, request, deadline); });
}

}  // namespace tiercache::detail
