#include "corruption/rows.h"

#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "engine/cache/world.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

constexpr int kKeys = 6;

std::string key_of(int number) {
  return "key:" + std::to_string(number);
}
std::string document(int number) {
  return "{\"key\":\"" + key_of(number) + "\",\"list\":[1, 2.50]}";
}
std::string new_document(int number) {
  return "{\"healed\":" + std::to_string(number) + "}";
}

std::unique_ptr<Cache> open_cache(World& world, const std::string& store) {
  return world.open([&](CacheOptions& options) {
    options.store = sqlite::open(
        {.path = store, .synchronous = sqlite::Synchronous::normal, .clock = world.clock});
    options.store_calls.call_timeout = 1s;
  });
}

void execute(const std::string& store, const std::string& statement) {
  sqlite3* database = nullptr;
  char* why = nullptr;
  int status = sqlite3_open_v2(store.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  if (status == SQLITE_OK) {
    status = sqlite3_exec(database, statement.c_str(), nullptr, nullptr, &why);
  }
  const std::string told = why != nullptr ? why : "cannot be opened";
  sqlite3_free(why);
  sqlite3_close(database);
  if (status != SQLITE_OK) throw std::runtime_error(statement + ": " + told);
}

}  // namespace

DamagedStore::DamagedStore() {
  {
    World world;
    const auto cache = open_cache(world, store());
    const auto data = open_documents(*cache);
    for (int i = 0; i < kKeys; ++i) data.put(key_of(i), document(i));
    data.put("erased", "1");
    data.erase("erased");
    if (!cache->flush()) throw std::runtime_error("the store takes nothing");
  }
  execute(store(), "PRAGMA wal_checkpoint(TRUNCATE)");
  std::ifstream in(store(), std::ios::binary);
  bytes_.assign(std::istreambuf_iterator<char>(in), {});
}

void DamagedStore::write(const std::string& bytes) const {
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(store() + suffix);
  std::ofstream(store(), std::ios::binary) << bytes;
}

std::vector<RowDamage> DamagedStore::every_row_damage() const {
  std::vector<RowDamage> all;
  const auto add = [&](const std::string& column, const std::string& value) {
    all.push_back({column, "UPDATE cache_storage SET " + column + " = " + value});
  };
  for (const char* number : {"version_time", "version_writer", "last_fetch"}) {
    add(number, std::string(number) + " + 1");
    add(number, std::string(number) + " - 1");
    add(number, "0");
    add(number, "-1");
  }
  for (const char* nullable : {"last_rich_fetch", "invalidated_at", "fresh_for", "last_fetch"}) {
    add(nullable, std::string(nullable) + " IS NULL");
    add(nullable, "9000000000000");
  }
  add("last_fetch", "NULL");
  add("deleted", "1 - deleted");
  add("data", "NULL");
  for (const char* text : {"checksum", "stored_checksum", "cache_version", "metadata", "data"}) {
    const std::string name = text;
    add(name, "''");
    add(name, "substr(" + name + ", 1, length(" + name + ") - 1)");
    add(name, "substr(" + name + ", 2)");
    add(name, name + " || ' '");
    add(name, "replace(" + name + ", '1', '2')");
    add(name, "replace(" + name + ", '\"', '''')");
    add(name, "cast(x'ff' || " + name + " AS TEXT)");
  }
  // Rows in each other's place.
  add("cache_key", "'x' || cache_key");
  add("cache_key", "CASE cache_key WHEN 'key:0' THEN 'other' ELSE cache_key END");
  all.push_back({"cache_key",
                 "UPDATE cache_storage SET cache_key = '!' || cache_key;"
                 "UPDATE cache_storage SET cache_key = 'key:' || "
                 "((substr(cache_key, 6) + 1) % 6) WHERE cache_key LIKE '!key:%'"});
  all.push_back({"data",
                 "UPDATE cache_storage SET data = (SELECT data FROM cache_storage WHERE "
                 "cache_key = 'key:5') WHERE cache_key LIKE 'key:%'"});
  return all;
}

std::vector<Damage> DamagedStore::every_file_damage() const {
  return testing::every_damage(0, bytes_);
}

std::string DamagedStore::describe(const Damage& damage) const {
  return "the store's file: byte " + std::to_string(damage.offset) + " " + to_string(damage.kind);
}

std::optional<std::string> DamagedStore::check(const RowDamage& damage, Outcomes& outcomes) const {
  write(bytes_);
  try {
    execute(store(), damage.statement);
  } catch (const std::runtime_error&) {
    return std::nullopt;  // the schema does not let it happen
  }
  return judge(true, outcomes);
}

std::optional<std::string> DamagedStore::check(const Damage& damage, Outcomes& outcomes) const {
  std::string bytes = bytes_;
  apply(damage, &bytes);
  write(bytes);
  return judge(false, outcomes);
}

std::optional<std::string> DamagedStore::judge(bool rows_alone, Outcomes& outcomes) const {
  ++outcomes.states;
  World world;
  world.clock->advance(1h);
  auto cache = open_cache(world, store());
  auto data = open_documents(*cache);
  for (int i = 0; i < kKeys; ++i) {
    const auto snapshot = data.get(key_of(i), {.reach = Reach::store});
    if (!snapshot) {
      ++outcomes.healed;
    } else if (*snapshot != document(i)) {
      return key_of(i) + " is " + *snapshot;
    }
  }
  if (const auto snapshot = data.get("erased", {.reach = Reach::store})) {
    return "an erased entry is back: " + *snapshot;
  }
  for (int i = 0; i < kKeys; ++i) data.put(key_of(i), new_document(i));
  const bool stored = cache->flush(1min);
  for (int i = 0; i < kKeys; ++i) {
    if (*data.get(key_of(i)) != new_document(i)) return key_of(i) + " is not what was put";
  }
  if (!stored) {
    // Rows heal; where the file itself is broken, the writes wait, and health counts them.
    if (!rows_alone && cache->health().outbox_depth > 0) return std::nullopt;
    return "not every write came to the store";
  }
  cache->close();
  cache.reset();
  world.wipe();
  cache = open_cache(world, store());
  data = open_documents(*cache);
  for (int i = 0; i < kKeys; ++i) {
    const auto snapshot = data.get(key_of(i), {.reach = Reach::store});
    const bool healed = snapshot && *snapshot == new_document(i);
    // SQLite does not know that its own index is damaged: it may then find the earlier row.
    const bool excused = !rows_alone && (!snapshot || *snapshot == document(i));
    if (!healed && !excused) {
      return key_of(i) + " has not healed: " + snapshot.passage().to_string();
    }
  }
  return std::nullopt;
}

}  // namespace tiercache::testing
