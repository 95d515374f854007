// Stands in front of the user's store and checks its answers, once, against what the port promises,
// so that a store which breaks a promise is a store that failed and nothing worse.
//
//   an entry whose document does not hold its checksum,
//   or whose metadata is not a JSON object              is corrupt, as a damaged row is (I2, I9)
//   «superseded» by a row that is older (I3)            nothing is known of the call
//   fewer or more answers than questions, unknown ones  nothing is known of the call
//   pages and pieces that do not move on                nothing is known of the call
//   an exception                                        nothing is known of the call
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "tiercache/store.h"

namespace tiercache::detail {

// Thread-safe, as the store is. Blocks: as long as the user's store does.
class CheckedStore final : public Store {
 public:
  explicit CheckedStore(std::shared_ptr<Store> store);

  std::string describe() const override;
  StoreLimits limits() const override { return store_->limits(); }
  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override;
  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override;
  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override;
  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override;
  bool has_changes() const override { return store_->has_changes(); }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override;
  std::shared_ptr<ChangeWatch> watch_changes(const std::string& project,
                                             std::function<void()> hint) override;
  bool has_purge() const override { return store_->has_purge(); }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override;

 private:
  const std::shared_ptr<Store> store_;
};

}  // namespace tiercache::detail
