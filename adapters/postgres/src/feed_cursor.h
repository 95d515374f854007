// A place in the change feed, which is a snapshot of the server: the transactions whose changes
// were told. What commits late, whenever it began, is what the snapshot does not see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::postgres {

// Which transactions are over: all below `end` but those that run. As Postgres' pg_snapshot.
struct Snapshot {
  std::uint64_t end = 0;               // the first that had not begun
  std::vector<std::uint64_t> running;  // ascending, below `end`

  bool sees(std::uint64_t transaction) const;

  // Of Postgres' text, `xmin:xmax:xip,xip`. Nullopt when it is another text.
  static std::optional<Snapshot> parse(std::string_view text);
};

// What `told` sees, and what `now` sees of the transactions before `below`.
Snapshot joined(const Snapshot& told, const Snapshot& now, std::uint64_t below);

struct FeedCursor {
  // In the middle of a transaction, after its row of this number.
  struct Inside {
    std::uint64_t transaction = 0;
    std::int64_t row = 0;
  };

  std::string incarnation;
  // Of the server's transactions; nullopt in a cursor of a program that did not know of them.
  std::optional<std::string> history;
  Snapshot told;
  // Not seen by `told`: its `end`, or one of its running.
  std::optional<Inside> inside;

  // A text that programs before this one take for no cursor of theirs, which is a gap for them.
  std::string to_string() const;
  // Those of earlier programs too: `incarnation/transaction/row`. Nullopt when it is none.
  static std::optional<FeedCursor> parse(std::string_view text);

  // The cursor behind all that `now` sees.
  FeedCursor behind(const Snapshot& now) const;
  // The cursor behind a page that `now` saw and that ends with this row.
  FeedCursor behind(const Snapshot& now, Inside last) const;
};

}  // namespace tiercache::postgres
