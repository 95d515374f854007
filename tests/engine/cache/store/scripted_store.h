// A store that answers what a test tells it to, and remembers by when it had to.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/store.h"

namespace tiercache::detail {

// Without a script every call is answered `ok`, and nothing is there.
class ScriptedStore final : public Store {
 public:
  std::string describe() const override { return name; }
  StoreLimits limits() const override { return {}; }
  LoadReply load(const std::string&, std::span<const EntryId> ids, SteadyTime deadline) override {
    deadlines.push_back(deadline);
    loads.emplace_back(ids.begin(), ids.end());
    LoadReply reply;
    reply.entries.resize(ids.size());
    if (on_load) on_load(reply);
    return reply;
  }
  SaveReply save(const std::string&, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    deadlines.push_back(deadline);
    SaveReply reply;
    reply.results.resize(writes.size());
    if (on_save) on_save(reply);
    return reply;
  }
  ScanReply scan(const std::string&, const std::string&, const std::string&, std::size_t,
                 SteadyTime deadline) override {
    deadlines.push_back(deadline);
    ScanReply reply;
    if (on_scan) on_scan(reply);
    return reply;
  }
  EraseMatchingReply erase_matching(const std::string&, const MatchingErase&, SteadyTime) override {
    EraseMatchingReply reply;
    if (on_erase) on_erase(reply);
    return reply;
  }
  bool has_changes() const override { return tells_changes; }
  ChangesReply changes(const std::string&, const std::string&, std::size_t,
                       SteadyTime deadline) override {
    deadlines.push_back(deadline);
    ChangesReply reply;
    if (on_changes) on_changes(reply);
    return reply;
  }
  bool has_purge() const override { return purges; }
  PurgeReply purge(const std::string&, const PurgeRequest& request, SteadyTime deadline) override {
    deadlines.push_back(deadline);
    purge_requests.push_back(request);
    PurgeReply reply;
    if (on_purge) on_purge(reply);
    return reply;
  }

  std::string name = "scripted";
  bool tells_changes = true;
  bool purges = true;
  std::function<void(LoadReply&)> on_load;
  std::function<void(SaveReply&)> on_save;
  std::function<void(ScanReply&)> on_scan;
  std::function<void(EraseMatchingReply&)> on_erase;
  std::function<void(ChangesReply&)> on_changes;
  std::function<void(PurgeReply&)> on_purge;
  std::vector<SteadyTime> deadlines;
  std::vector<std::vector<EntryId>> loads;
  std::vector<PurgeRequest> purge_requests;
};

}  // namespace tiercache::detail
