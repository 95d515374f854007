#include "corruption/scene.h"

#include <algorithm>

#include "files/entry_files.h"

namespace tiercache::testing {
namespace {

std::string document(const std::string& key, int number) {
  return "{\"key\":\"" + key + "\",\"number\":" + std::to_string(number) + ",\"list\":[1, 2.50]}";
}

// Writes keys and remembers what is right.
class Author {
 public:
  explicit Author(std::string name) {
    scene_.name = std::move(name);
    cache_ = world_.open([](CacheOptions& options) {
      options.journal.segment_bytes = 16'384;
      options.files.sync_every = 1min;
    });
    data_.emplace(open_documents(*cache_));
  }

  void put(const std::string& key, int number) {
    KnownKey& known = scene_.keys[key];
    if (known.right) known.older.insert(*known.right);
    known.right = document(key, number);
    known.confirmed = false;
    data_->put(key, *known.right, {.metadata = R"({"etag":"\"7\""})"});
  }
  void erase(const std::string& key) {
    forget(key);
    data_->erase(key);
  }
  void erase_matching(const std::string& glob, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) forget(key);
    data_->erase_matching(glob);
  }
  void invalidate(const std::string& key) { data_->invalidate(key); }
  // Another machine's.
  void put_row(const std::string& key, int number) {
    Entry entry;
    entry.version = {.time = std::uint64_t{1'600'000'000'000} << Version::kCounterBits,
                     .writer = 9};
    entry.document = std::make_shared<const std::string>(document(key, number));
    entry.checksum = Checksum::of(*entry.document);
    entry.clocks.last_fetch = world_.clock->wall_now();
    scene_.keys[key].right = *entry.document;
    scene_.keys[key].local = false;
    world_.store->put_row("test", {kDataset, key}, entry);
  }
  void confirm() {
    cache_->flush();
    for (auto& [key, known] : scene_.keys) known.confirmed = true;
  }
  void write_files() { world_.executor->run_for(10s); }
  void store_down() { world_.store_down(); }
  Scene killed() {
    world_.kill(cache_);
    return finished();
  }
  Scene closed() {
    cache_->close();
    cache_.reset();
    return finished();
  }

 private:
  void forget(const std::string& key) {
    KnownKey& known = scene_.keys[key];
    if (known.right) known.older.insert(*known.right);
    known.right.reset();
    known.confirmed = false;
  }
  Scene finished() {
    for (const std::string& path : world_.disk.files()) {
      std::string bytes;
      world_.disk.read(path, &bytes);
      scene_.files.emplace_back(path, std::move(bytes));
    }
    for (auto& [key, known] : scene_.keys) {
      const EntryId id{kDataset, key};
      known.file = "/cache/data/" + entry_path(id);
      known.journal_only = !known.confirmed && !is_in_its_file(known);
      if (const EntryPtr row = world_.store->row("test", id)) scene_.rows.emplace_back(id, *row);
    }
    scene_.now = world_.clock->wall_now();
    return std::move(scene_);
  }

  bool is_in_its_file(const KnownKey& known) const {
    std::string bytes;
    if (!world_.disk.read(known.file, &bytes)) return false;
    if (known.right) return bytes.find(*known.right) != std::string::npos;
    return std::none_of(known.older.begin(), known.older.end(), [&](const std::string& older) {
      return bytes.find(older) != std::string::npos;
    });
  }

  World world_;
  Scene scene_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
};

void write_confirmed(Author& author) {
  author.put("plain", 1);
  author.put("odd key/é%", 2);
  author.put("long " + std::string(200, 'k'), 3);
  author.put("rewritten", 4);
  author.put("erased", 5);
  author.put("to erase", 6);
  author.put("stale", 7);
  author.put("many:1", 8);
  author.put("waiting", 9);
  author.confirm();
  author.erase("erased");
  author.confirm();
  author.write_files();
}

}  // namespace

Dataset<JsonText> open_documents(Cache& cache) {
  return cache.dataset(kDataset, {.keyed = true, .fresh_for = 24h * 365, .stale_for = 24h * 365});
}

std::unique_ptr<World> Scene::build() const {
  auto world = std::make_unique<World>();
  world->clock->set_wall(now + 1min);
  for (const auto& [path, bytes] : files) world->disk.write(path, bytes);
  for (const auto& [id, entry] : rows) world->store->put_row("test", id, entry);
  return world;
}

Scene killed_scene() {
  Author author("killed");
  write_confirmed(author);
  author.put_row("many:2", 10);  // not known here
  author.store_down();
  author.put("rewritten", 11);
  author.put("new", 12);
  author.erase("to erase");
  author.invalidate("stale");
  author.write_files();
  author.put("waiting", 13);
  author.erase_matching("many:*", {"many:1", "many:2"});
  return author.killed();
}

Scene closed_scene() {
  Author author("closed");
  write_confirmed(author);
  return author.closed();
}

}  // namespace tiercache::testing
