#include "upgrade/state/gate.h"

#include <vector>

namespace tiercache::upgrade {
namespace {

template <class Reply>
Reply away() {
  Reply reply;
  reply.status = StoreStatus::unavailable;
  reply.message = "the test wants it so";
  return reply;
}

}  // namespace

std::optional<Gate::FirstLook> Gate::first_look(std::chrono::seconds timeout) {
  std::unique_lock lock(mutex_);
  looked_.wait_for(lock, timeout, [&] { return first_look_.has_value(); });
  return first_look_;
}

LoadReply Gate::load(const std::string& project, std::span<const EntryId> ids,
                     SteadyTime deadline) {
  return away_ ? away<LoadReply>() : behind_->load(project, ids, deadline);
}

SaveReply Gate::save(const std::string& project, std::span<const StoreWrite> writes,
                     SteadyTime deadline) {
  if (away_) return away<SaveReply>();
  std::vector<StoreWrite> taken;
  for (const StoreWrite& write : writes) {
    if (refused_.empty() || write.id.key != refused_) taken.push_back(write);
  }
  SaveReply reply = behind_->save(project, taken, deadline);
  if (reply.status != StoreStatus::ok) return reply;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (refused_.empty() || writes[i].id.key != refused_) continue;
    reply.results.insert(reply.results.begin() + static_cast<std::ptrdiff_t>(i),
                         {SaveOutcome::refused, nullptr, "the test wants it so"});
  }
  return reply;
}

ScanReply Gate::scan(const std::string& project, const std::string& dataset,
                     const std::string& cursor, std::size_t limit, SteadyTime deadline) {
  return away_ ? away<ScanReply>() : behind_->scan(project, dataset, cursor, limit, deadline);
}

EraseMatchingReply Gate::erase_matching(const std::string& project, const MatchingErase& erase,
                                        SteadyTime deadline) {
  return away_ ? away<EraseMatchingReply>() : behind_->erase_matching(project, erase, deadline);
}

ChangesReply Gate::changes(const std::string& project, const std::string& cursor, std::size_t limit,
                           SteadyTime deadline) {
  if (away_) return away<ChangesReply>();
  ChangesReply reply = behind_->changes(project, cursor, limit, deadline);
  const std::lock_guard lock(mutex_);
  // A look at one change only asks which store this is.
  const bool counts = reply.status == StoreStatus::ok && limit > 1;
  if (counts && !first_look_) first_look_ = FirstLook{cursor, reply.gap};
  looked_.notify_all();
  return reply;
}

PurgeReply Gate::purge(const std::string& project, const PurgeRequest& request,
                       SteadyTime deadline) {
  return away_ ? away<PurgeReply>() : behind_->purge(project, request, deadline);
}

}  // namespace tiercache::upgrade
