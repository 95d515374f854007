// A place in the change feed. It is a snapshot of the server: the set of transactions whose changes
// were told. Whatever commits later, no matter when it began, is not in that set, and so is told
// later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::postgres {

// Which transactions have ended: all below `end`, except those that run. The same as Postgres'
// pg_snapshot.
struct Snapshot {
  std::uint64_t end = 0;               // the first transaction that had not begun
  std::vector<std::uint64_t> running;  // ascending, below `end`

  // Whether the transaction has ended.
  bool sees(std::uint64_t transaction) const;

  // Reads Postgres' text, `xmin:xmax:xip,xip`. Returns nullopt for any other text.
  static std::optional<Snapshot> parse(std::string_view text);
};

// Returns the snapshot that sees what `told` sees, and what `now` sees of the transactions before
// `below`.
Snapshot joined(const Snapshot& told, const Snapshot& now, std::uint64_t below);

struct FeedCursor {
  // A place in the middle of a transaction, after the row of this number.
  struct Inside {
    std::uint64_t transaction = 0;
    std::int64_t row = 0;
  };

  std::string incarnation;  // of the store's data
  // The history of transactions (cluster and timeline) that `told` belongs to; nullopt in a cursor
  // of an older program, which did not record it.
  std::optional<std::string> history;
  Snapshot told;  // the transactions that were told as a whole
  // Where the last page ended, if that was inside a transaction. `told` does not see that one: it
  // is its `end` or one of those that run.
  std::optional<Inside> inside;

  // Returns the cursor's text. Older programs do not read it as a cursor, so it is a gap for them.
  std::string to_string() const;
  // Reads that text, and those of older programs: `incarnation/transaction/row`. Returns nullopt
  // for any other text.
  static std::optional<FeedCursor> parse(std::string_view text);

  // Returns the cursor behind everything that `now` sees.
  FeedCursor behind(const Snapshot& now) const;
  // Returns the cursor behind a page that was read under `now` and ends with the row `last`.
  FeedCursor behind(const Snapshot& now, Inside last) const;
};

}  // namespace tiercache::postgres
