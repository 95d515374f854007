// A batch goes to the server as arrays, one for each column, and the function save_entries (see
// schema/) applies the writes one by one and answers with a row for each. So a batch costs one
// round trip and one commit. What can be refused without the server is left out before.
//
// The statement is all or nothing: if the server cannot hold the data of one write, it refuses them
// all and does not say which. Then each half is sent by itself, and so on:
//
//     [a b c D e f g h]   refused
//     [a b c D]           refused        [e f g h]   saved
//     [a b]   saved       [c D]   refused
//                         [c]   saved    [D]   refused alone: its outcome is `refused`
//
// If the server goes away after a part was saved, the whole call is `in_doubt`: sending the batch
// again does no harm.
#include "saving.h"

#include <limits>
#include <span>

#include "arrays.h"
#include "rows.h"
#include "text.h"

namespace tiercache::postgres {

namespace {

// A statement has no more document bytes than this, unless a single document has.
constexpr std::size_t kStatementBytes = std::size_t{32} << 20;

// What stands for NULL in the arrays. The word itself would not do: for a role with array_nulls =
// off it is a text like any other.
#define TIERCACHE_POSTGRES_NUMBERS(parameter) \
  "array_replace(" parameter "::bigint[], '-9223372036854775808', NULL)"
#define TIERCACHE_POSTGRES_TEXTS(parameter) "array_replace(" parameter "::text[], '', NULL)"
constexpr std::int64_t kNoNumber = std::numeric_limits<std::int64_t>::min();
constexpr std::string_view kNoText;

constexpr Statement kSave = {
    "tiercache_save",
    "SELECT * FROM tiercache.save_entries($1::text, tiercache.begin_write($2::integer), "
    "$3::boolean[], $4::text[], $5::text[], $6::boolean[], $7::bigint[], $8::bigint[], "
    TIERCACHE_POSTGRES_NUMBERS("$9") ", " TIERCACHE_POSTGRES_NUMBERS("$10") ", $11::text[], "
    TIERCACHE_POSTGRES_NUMBERS("$12") ", " TIERCACHE_POSTGRES_NUMBERS("$13") ", "
    TIERCACHE_POSTGRES_NUMBERS("$14") ", " TIERCACHE_POSTGRES_NUMBERS("$15") ", $16::text[], "
    "$17::text[], " TIERCACHE_POSTGRES_TEXTS("$18") ")"};

constexpr auto kMostTime = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

// Whether one of the entry's numbers is the one that stands for NULL.
bool has_number_for_none(const Entry& entry) {
  const auto is_none = [](const std::optional<WallTime>& time) {
    return time && time->time_since_epoch().count() == kNoNumber;
  };
  return is_none(entry.clocks.last_fetch) || is_none(entry.clocks.last_rich_fetch) ||
         is_none(entry.clocks.invalidated_at) ||
         (entry.fresh_for && entry.fresh_for->count() == kNoNumber);
}

// Why the write is refused without asking the server; empty if it is not.
std::string refusal(const StoreWrite& write, std::size_t max_document_bytes) {
  const auto& document = write.entry.document;
  if (document && document->size() > max_document_bytes) {
    return "the document has " + std::to_string(document->size()) +
           " bytes, more than the store's max_document_bytes of " +
           std::to_string(max_document_bytes);
  }
  if (write.entry.version.time > kMostTime) {
    return "the version is beyond what the store can hold";
  }
  if (has_number_for_none(write.entry)) return "the write has a time out of the store's range";
  if (has_nul(write.id.dataset) || has_nul(write.id.key) || has_nul(write.entry.metadata) ||
      has_nul(write.entry.cache_version) || (document && has_nul(*document))) {
    return "the write holds a NUL byte, which Postgres cannot hold";
  }
  return {};
}

std::int64_t to_ms(const std::optional<WallTime>& time) {
  return time ? std::int64_t{time->time_since_epoch().count()} : kNoNumber;
}

// The columns of a batch, each as an array.
class Columns {
 public:
  void add(const StoreWrite& write) {
    const Entry& entry = write.entry;
    const bool content = write.kind == StoreWrite::Kind::content;
    content_.add(content);
    types_.add(write.id.dataset);
    keys_.add(write.id.key);
    deleted_.add(entry.kind == EntryKind::tombstone);
    versions_.add(static_cast<std::int64_t>(entry.version.time));
    writers_.add(std::int64_t{entry.version.writer});
    add_guard(write.not_newer_than);
    checksums_.add(entry.checksum.to_string());
    last_fetch_.add(to_ms(entry.clocks.last_fetch));
    last_rich_fetch_.add(to_ms(entry.clocks.last_rich_fetch));
    invalidated_at_.add(to_ms(entry.clocks.invalidated_at));
    fresh_for_.add(entry.fresh_for ? std::int64_t{entry.fresh_for->count()} : kNoNumber);
    cache_versions_.add(entry.cache_version);
    metadata_.add(entry.metadata);
    if (content && entry.document && entry.kind == EntryKind::document) {
      documents_.add(*entry.document);
    } else {
      documents_.add(kNoText);
    }
  }

  shim::Parameters parameters(const std::string& project, std::string lock_timeout) && {
    shim::Parameters out = {project, std::move(lock_timeout)};
    for (Array* array :
         {&content_, &types_, &keys_, &deleted_, &versions_, &writers_, &guard_versions_,
          &guard_writers_, &checksums_, &last_fetch_, &last_rich_fetch_, &invalidated_at_,
          &fresh_for_, &cache_versions_, &metadata_, &documents_}) {
      out.push_back(std::move(*array).take());
    }
    return out;
  }

 private:
  // A guard above every version that a row can have always holds.
  void add_guard(const std::optional<Version>& guard) {
    if (guard && guard->time <= kMostTime) {
      guard_versions_.add(static_cast<std::int64_t>(guard->time));
      guard_writers_.add(std::int64_t{guard->writer});
    } else {
      guard_versions_.add(kNoNumber);
      guard_writers_.add(kNoNumber);
    }
  }

  Array content_, types_, keys_, deleted_, versions_, writers_, guard_versions_, guard_writers_,
      checksums_, last_fetch_, last_rich_fetch_, invalidated_at_, fresh_for_, cache_versions_,
      metadata_, documents_;
};

SaveOutcome outcome_of(std::string_view text) {
  if (text == "saved") return SaveOutcome::saved;
  if (text == "already_saved") return SaveOutcome::already_saved;
  return SaveOutcome::superseded;
}

class Saving {
 public:
  Saving(Session& session, const std::string& project, const std::vector<StoreWrite>& writes,
         SaveReply& reply)
      : session_(session), project_(project), writes_(writes), reply_(reply) {}

  // Saves the writes of these numbers, in one statement if the server takes it.
  void save(std::span<const std::size_t> numbers) {
    if (numbers.empty()) return;
    try {
      save_together(numbers);
    } catch (const Failure& failure) {
      if (failure.kind() != Failure::Kind::data || failure.ends_connection()) {
        pass_on(failure);
      }
      if (numbers.size() == 1) {
        reply_.results[numbers[0]] = {SaveOutcome::refused, nullptr,
                                      std::string("the write ") + failure.what()};
        return;
      }
      save(numbers.first(numbers.size() / 2));
      save(numbers.subspan(numbers.size() / 2));
    }
  }

 private:
  // Ends the batch. What was saved before makes it doubtful as a whole.
  [[noreturn]] void pass_on(const Failure& failure) const {
    if (!saved_some_) throw failure;
    throw Failure(Failure::Kind::in_doubt, failure.ends_connection(), failure.what());
  }

  void save_together(std::span<const std::size_t> numbers) {
    Columns columns;
    for (const std::size_t number : numbers) columns.add(writes_[number]);
    const pqxx::result rows =
        session_.run(kSave, std::move(columns).parameters(project_, session_.lock_timeout()));
    saved_some_ = true;
    if (static_cast<std::size_t>(rows.size()) != numbers.size()) {
      throw Failure(Failure::Kind::in_doubt, true, "the server answered for other writes");
    }
    for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
      const auto place = static_cast<std::size_t>(integer(rows, row, kPlace));
      SaveResult& result = reply_.results.at(numbers[place - 1]);
      result.outcome = outcome_of(shim::text(rows, row, kOutcome));
      if (!shim::is_null(rows, row, kVersion)) result.current = read_entry(rows, row);
    }
    reply_.store_time = read_now(rows);
  }

  Session& session_;
  const std::string& project_;
  const std::vector<StoreWrite>& writes_;
  SaveReply& reply_;
  bool saved_some_ = false;
};

}  // namespace

void save_batch(Session& session, std::size_t max_document_bytes, const std::string& project,
                const std::vector<StoreWrite>& writes, SaveReply& reply) {
  reply.results.resize(writes.size());
  Saving saving(session, project, writes, reply);
  std::vector<std::size_t> statement;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (std::string why = refusal(writes[i], max_document_bytes); !why.empty()) {
      reply.results[i] = {SaveOutcome::refused, nullptr, std::move(why)};
      continue;
    }
    const std::size_t size = writes[i].entry.document ? writes[i].entry.document->size() : 0;
    if (bytes + size > kStatementBytes) {
      saving.save(statement);
      statement.clear();
      bytes = 0;
    }
    statement.push_back(i);
    bytes += size;
  }
  saving.save(statement);
}

}  // namespace tiercache::postgres
