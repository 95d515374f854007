// How a write with a lineage is sent. The store compares a guarded write with its row by "not newer
// than" alone; it does not know from which unconfirmed writes that one was made. So the row is
// looked at first:
//
//     load the row -> the write may not replace it: superseded, nothing is sent
//                  -> it may: save, with the version of this very row as its guard
//                             -> the row has changed meanwhile: superseded; if the write may
//                                replace the new row too, it is sent again
#include "outbox/send_call.h"

#include <utility>

#include "base/guarded_call.h"
#include "base/spoken.h"

namespace tiercache {

SendCall send_erase(Store& store, const std::string& project, const MatchingErase& piece,
                    SteadyTime deadline) {
  EraseMatchingReply reply =
      guarded([&] { return store.erase_matching(project, piece, deadline); });
  SendCall call{.reply = reply, .results = {}, .next = std::move(reply.next)};
  if (call.worked()) call.results.emplace_back();
  return call;
}

namespace {

using Numbers = std::vector<std::size_t>;

SaveReply save(Store& store, const std::string& project, std::span<const StoreWrite> writes,
               SteadyTime deadline) {
  SaveReply reply = guarded([&] { return store.save(project, writes, deadline); });
  if (reply.status == StoreStatus::ok && reply.results.size() != writes.size()) {
    reply.status = StoreStatus::unknown;
    reply.message = "the store gave " + counted(reply.results.size(), "result") + " for " +
                    counted(writes.size(), "write");
  }
  return reply;
}

bool may_replace(const UnsettledWrite& write, const Version& row) {
  return guard_holds(write.write.not_newer_than, write.made_from, row);
}

// The places in the batch of writes that were made from unconfirmed ones.
Numbers find_with_lineage(std::span<const UnsettledWrite> batch) {
  Numbers found;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!batch[i].made_from.empty()) found.push_back(i);
  }
  return found;
}

// Loads the rows of writes with a lineage. A write that may not replace its row gets its result in
// `*decided`; each of the others gets the row's version as its guard in `*writes`. The answer is
// the store's reply to the load.
StoreReply guard_by_rows(Store& store, const std::string& project,
                         std::span<const UnsettledWrite> batch, const Numbers& numbers,
                         SteadyTime deadline, std::vector<std::optional<SaveResult>>* decided,
                         std::vector<StoreWrite>* writes) {
  std::vector<EntryId> ids;
  for (const std::size_t number : numbers) ids.push_back(batch[number].write.id);
  const LoadReply rows = guarded([&] { return store.load(project, ids, deadline); });
  if (rows.status != StoreStatus::ok) return rows;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t number = numbers[i];
    const EntryPtr& row = rows.entries[i];
    if (rows.is_corrupt(i)) continue;
    if (row && !may_replace(batch[number], row->version)) {
      (*decided)[number] = SaveResult{SaveOutcome::superseded, row, {}};
    } else {
      (*writes)[number].not_newer_than = row ? row->version : Version{};
    }
  }
  return rows;
}

}  // namespace

SendCall send_writes(Store& store, const std::string& project,
                     std::span<const UnsettledWrite> batch, SteadyTime deadline) {
  std::vector<StoreWrite> writes;
  writes.reserve(batch.size());
  for (const UnsettledWrite& write : batch) writes.push_back(write.write);
  std::vector<std::optional<SaveResult>> decided(batch.size());
  SendCall call;
  if (const Numbers numbers = find_with_lineage(batch); !numbers.empty()) {
    call.reply = guard_by_rows(store, project, batch, numbers, deadline, &decided, &writes);
    if (!call.worked()) {
      call.reply.status = StoreStatus::unavailable;  // nothing was sent
      return call;
    }
  }
  std::vector<StoreWrite> sent;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (!decided[i]) sent.push_back(std::move(writes[i]));
  }
  SaveReply reply;
  if (!sent.empty()) {
    reply = save(store, project, sent, deadline);
    call.reply = reply;
  }
  if (!call.worked()) return call;
  call.again.resize(batch.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const bool was_sent = !decided[i];
    call.results.push_back(was_sent ? std::move(reply.results[next++]) : std::move(*decided[i]));
    const SaveResult& result = call.results.back();
    call.again[i] = was_sent && !batch[i].made_from.empty() &&
                    result.outcome == SaveOutcome::superseded && result.current &&
                    result.current->version < batch[i].write.entry.version &&
                    may_replace(batch[i], result.current->version);
  }
  return call;
}

}  // namespace tiercache
