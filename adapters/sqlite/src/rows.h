// Rows of cache_storage as entries, which are verified when they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::sqlite {

// A row as it was found. `entry` is null if the row does not match its checksum.
struct StoredRow {
  std::int64_t entry_id = 0;
  EntryId id;
  std::int64_t updated = 0;
  Version claimed_version;  // the row's version, whether it is corrupt or not
  EntryPtr entry;
  // The document of a corrupt row, if it has one.
  std::shared_ptr<const std::string> corrupt_text;

  bool is_corrupt() const { return entry == nullptr; }
};

// The project's number; nullopt as long as nothing was saved in it.
std::optional<std::int64_t> find_project(Connection& connection, const std::string& name);
std::int64_t find_or_add_project(Connection& connection, const std::string& name);

std::optional<StoredRow> find_row(Connection& connection, std::int64_t project, const EntryId& id);

// Reads the documents of the dataset (of all datasets if it is empty) that were updated before
// `before`, latest first, at most `limit`. Corrupt ones are among them.
class RowScan {
 public:
  RowScan(Connection& connection, std::int64_t project, const std::string& dataset,
          std::int64_t before, std::int64_t limit);
  std::optional<StoredRow> next();

 private:
  Query query_;
};

// The rows that were updated after `after`, tombstones included, oldest first, at most `limit`.
// They are not verified.
struct ChangedRow {
  std::int64_t updated = 0;
  StoreChange change;
};
std::vector<ChangedRow> find_changed(Connection& connection, std::int64_t project,
                                     std::int64_t after, std::int64_t limit);
// The number of the project's last update.
std::int64_t last_update(Connection& connection, std::int64_t project);

// Among the rows that the erase looks at, those below its version whose keys match, tombstones
// included. `*next` is set where there may be more, and says where to go on.
struct MatchingRow {
  std::int64_t entry_id = 0;
  EntryId id;
};
std::vector<MatchingRow> find_matching(Connection& connection, std::int64_t project,
                                       const MatchingErase& erase,
                                       std::optional<std::string>* next);

// How far a project was purged: the horizon, and the number of the last update among the tombstones
// that were deleted.
struct Purged {
  Version horizon;
  std::int64_t updated = 0;
};
Purged find_purged(Connection& connection, std::int64_t project);
void set_purged(Connection& connection, std::int64_t project, const Purged& purged);

struct OldRow {
  std::int64_t entry_id = 0;
  EntryId id;
  std::int64_t updated = 0;
  Version version;
};
// Tombstones whose version is below `below`, at most `limit`.
std::vector<OldRow> find_old_tombstones(Connection& connection, std::int64_t project, Version below,
                                        std::int64_t limit);
// Documents of the dataset that were last fetched before that time, at most `limit`.
std::vector<OldRow> find_expired(Connection& connection, std::int64_t project,
                                 const std::string& dataset, WallTime fetched_before,
                                 std::int64_t limit);
void delete_row(Connection& connection, std::int64_t entry_id);

// Hands out a project's update numbers within a write transaction, and stores rows under them.
class RowWriter {
 public:
  RowWriter(Connection& connection, std::int64_t project);
  // Inserts or replaces the row.
  void put(const EntryId& id, const Entry& entry);
  // Copies a row that does not match its checksum to the quarantine, as it is.
  void keep_aside(const StoredRow& row, std::int64_t now_ms);
  // Writes back how many numbers were handed out. Called before the commit.
  void finish();

 private:
  Connection& connection_;
  const std::int64_t project_;
  std::int64_t updates_ = 0;
};

}  // namespace tiercache::sqlite
