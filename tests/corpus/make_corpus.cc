// Writes the corpus into a new directory: `make_corpus DIRECTORY`. What is checked in under
// format-1 was written by it when the formats were frozen, and is not written again: a later format
// gets a folder of its own beside it.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "corpus/corpus.h"
#include "tiercache/sqlite.h"

namespace tiercache::corpus {
namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "make_corpus: %s\n", what);
  std::_Exit(1);
}

void write_entries(Machine& machine, Cache& cache) {
  auto data = cache.dataset("documents", documents());
  cache.dataset("single", single()).put("", "[]");
  data.put("plain", kPlain);
  data.put(kLongKey, R"("long key")");
  data.put(kOddKey, R"("odd key")");
  data.put("metadata", kWithMetadata, {.fresh_for = 90s, .metadata = R"({"etag":"\"1\""})"});
  data.put("invalidated", "1");
  data.put("erased", "1");
  data.put("matching:1", "1");
  data.put("matching:2", "2");
  machine.clock->advance(1s);
  data.invalidate("invalidated");
  data.erase("erased");
  data.erase_matching("matching:*");
}

// Everything confirmed, closed in order: entry files, index, cursor.
void make_closed(const std::filesystem::path& directory) {
  Machine machine(directory);
  auto cache = machine.open();
  write_entries(machine, *cache);
  require(cache->flush(), "the store did not take everything");
  cache->close();
}

// A kill: entry files, no index, and a journal with a record of each kind that waits for the store.
void make_killed(const std::filesystem::path& directory) {
  Machine machine(directory);
  auto cache = machine.open();
  auto data = cache->dataset("documents", documents());
  data.put("confirmed", "1");
  data.put("erased", "1");
  data.put("matching:1", "1");
  data.put("invalidated", "1");
  machine.store->set_refusal([](const StoreWrite& write) -> std::optional<std::string> {
    if (write.id.key != "refused") return std::nullopt;
    return "the corpus wants it so";
  });
  data.put("refused", kRefused);
  require(cache->flush(), "the store did not take everything");
  machine.store->set_fault([](const std::string&) { return testing::StoreFault::unavailable; });
  machine.clock->advance(1s);
  data.put("waits", kPlain, {.fresh_for = 90s, .metadata = R"({"etag":"2"})"});
  data.put(kOddKey, R"("odd key")");
  data.invalidate("invalidated");
  data.erase("erased");
  data.erase_matching("matching:*");
  machine.executor->run_for(30s);
  std::_Exit(0);
}

void make_sqlite(const std::filesystem::path& file) {
  const auto store = sqlite::open(file.string());
  std::vector<StoreWrite> writes(3);
  const auto document = [&](StoreWrite& write, std::string key, std::string text) {
    write.id = {"documents", std::move(key)};
    write.entry.version = {
        (static_cast<std::uint64_t>(kWritten.time_since_epoch().count()) << Version::kCounterBits),
        7};
    write.entry.document = std::make_shared<const std::string>(std::move(text));
    write.entry.checksum = Checksum::of(*write.entry.document);
    write.entry.clocks.last_fetch = kWritten;
  };
  document(writes[0], "plain", kPlain);
  document(writes[1], kOddKey, R"("odd key")");
  writes[1].entry.metadata = R"({"etag":"2"})";
  writes[1].entry.fresh_for = 90s;
  writes[1].entry.clocks.invalidated_at = kWritten + 1s;
  document(writes[2], "erased", "1");
  writes[2].entry.kind = EntryKind::tombstone;
  writes[2].entry.document = nullptr;
  writes[2].entry.checksum = {};
  const SaveReply reply = store->save("corpus", writes, SteadyTime::max());
  require(reply.status == StoreStatus::ok, "SQLite did not take the rows");
}

// In a process of its own, since a kill ends it.
void in_child(const std::function<void()>& act) {
  const pid_t child = ::fork();
  require(child >= 0, "fork failed");
  if (child == 0) {
    act();
    std::_Exit(0);
  }
  int status = 0;
  require(::waitpid(child, &status, 0) == child && status == 0, "a part could not be written");
}

}  // namespace
}  // namespace tiercache::corpus

int main(int count, char** words) {
  namespace corpus = tiercache::corpus;
  corpus::require(count == 2, "usage: make_corpus DIRECTORY");
  const std::filesystem::path root = words[1];
  corpus::require(std::filesystem::create_directories(root), "the directory is there already");
  corpus::in_child([&] { corpus::make_closed(root / "closed"); });
  corpus::in_child([&] { corpus::make_killed(root / "killed"); });
  corpus::in_child([&] { corpus::make_sqlite(root / "store.db"); });
  // What means nothing once no cache is open.
  for (const char* part : {"closed", "killed"}) {
    std::filesystem::remove_all(root / part / "locks");
    std::filesystem::remove(root / part / "generations");
  }
  return 0;
}
