// A store of one's own: rows in a map, and every change as one line of JSON at the end of a file.
//
// It shows what the port `Store` asks for. It is right, but it is for one process at a time, keeps
// all rows in memory, and never shortens its file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace example {

// Thread-safe. Calls hold one mutex and wait for the local disk alone, so they end by themselves
// well before any deadline a cache sets.
class LineStore final : public tiercache::Store {
 public:
  // Reads the file, or makes it. A torn last line, left by a crash, is cut off; it was never
  // confirmed. Throws std::runtime_error when the file cannot be used.
  explicit LineStore(std::filesystem::path path,
                     std::shared_ptr<tiercache::Clock> clock = tiercache::system_clock());
  ~LineStore() override;
  LineStore(const LineStore&) = delete;
  LineStore& operator=(const LineStore&) = delete;

  std::string describe() const override { return "lines:" + path_.string(); }
  tiercache::StoreLimits limits() const override { return {.max_document_bytes = 64 << 20}; }

  tiercache::LoadReply load(const std::string& project, std::span<const tiercache::EntryId> ids,
                            tiercache::SteadyTime deadline) override;
  tiercache::SaveReply save(const std::string& project,
                            std::span<const tiercache::StoreWrite> writes,
                            tiercache::SteadyTime deadline) override;
  tiercache::ScanReply scan(const std::string& project, const std::string& dataset,
                            const std::string& cursor, std::size_t limit,
                            tiercache::SteadyTime deadline) override;
  tiercache::EraseMatchingReply erase_matching(const std::string& project,
                                               const tiercache::MatchingErase& erase,
                                               tiercache::SteadyTime deadline) override;

 private:
  // A row's place: the project, then which entry of it.
  using RowId = std::pair<std::string, tiercache::EntryId>;
  struct Row {
    tiercache::EntryPtr entry;
    std::uint64_t updated = 0;  // counts the changes of the store; the key in `recent_`
  };
  struct Change {
    RowId id;
    tiercache::EntryPtr entry;
  };

  void read_file();
  void put(const Change& change);
  tiercache::EntryPtr find(const RowId& id) const;
  // What a write comes to, given the rows and the changes before it in its batch.
  tiercache::SaveResult decide(const RowId& id, const tiercache::StoreWrite& write,
                               std::vector<Change>* changes) const;
  // Brings the changes to the disk, then into the rows. All of them or none; then it says why.
  std::optional<std::string> commit(const std::vector<Change>& changes);
  bool begin(tiercache::SteadyTime deadline, tiercache::StoreReply* reply) const;

  const std::filesystem::path path_;
  const std::shared_ptr<tiercache::Clock> clock_;
  std::mutex mutex_;
  // All below are guarded by `mutex_`.
  int file_ = -1;
  std::uint64_t size_ = 0;  // of the file, whole lines alone
  bool broken_ = false;     // a failed write left bytes in the file that could not be cut off
  std::map<RowId, Row> rows_;
  std::map<std::uint64_t, RowId> recent_;
  std::uint64_t updates_ = 0;
};

}  // namespace example
