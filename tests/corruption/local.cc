#include "corruption/local.h"

#include <utility>

namespace tiercache::testing {
namespace {

constexpr const char* kMarker = "/cache/tiercache.json";

bool is_journal(const std::string& path) {
  return path.find("/journal/") != std::string::npos;
}

// One damaged directory, from its first open to the proof that it has healed.
class Check {
 public:
  Check(const Scene& scene, const Damage& damage, Outcomes& outcomes)
      : scene_(scene), outcomes_(outcomes), world_(scene.build()) {
    hit(damage.file);
    if (damage.kind == Damage::Kind::swap) {
      hit(damage.other);
      world_->disk.write(path(damage.file), scene.files[damage.other].second);
      world_->disk.write(path(damage.other), scene.files[damage.file].second);
    } else {
      std::string bytes = scene.files[damage.file].second;
      apply(damage, &bytes);
      world_->disk.write(path(damage.file), std::move(bytes));
    }
  }

  std::optional<std::string> run() {
    world_->store_down();
    try {
      open();
    } catch (const BadDirectory& error) {
      if (marker_hit_) return std::nullopt;  // says that the directory is not ours: a person's case
      return std::string("the directory is refused: ") + error.what();
    }
    read_all("at first", Reach::local);
    world_->store_up();
    world_->executor->run_for(2min);
    read_all("with the store", Reach::store);
    heal();
    return std::move(broken_);
  }

 private:
  const std::string& path(std::size_t file) const { return scene_.files[file].first; }
  void hit(std::size_t file) {
    damaged_.insert(path(file));
    journal_hit_ = journal_hit_ || is_journal(path(file));
    marker_hit_ = marker_hit_ || path(file) == kMarker;
  }
  void open() {
    cache_ = world_->open();
    data_.emplace(open_documents(*cache_));
  }
  void fail(std::string what) {
    if (!broken_) broken_ = std::move(what);
  }

  // The one place that had it was hit.
  bool may_be_lost(const KnownKey& known, Reach reach) const {
    if (known.confirmed) return reach == Reach::local && damaged_.contains(known.file);
    if (!journal_hit_) return false;
    return known.journal_only || damaged_.contains(known.file) || reach == Reach::store;
  }

  void read_all(const std::string& when, Reach reach) {
    for (const auto& [key, known] : scene_.keys) {
      const auto snapshot = data_->get(key, {.reach = reach});
      const bool right = snapshot ? known.right == *snapshot
                                  : !known.right || (reach == Reach::local && !known.local);
      if (right) continue;
      const bool lost = may_be_lost(known, reach);
      if (!snapshot && lost) {
        ++outcomes_.healed;
      } else if (!lost || !known.older.contains(*snapshot)) {
        fail(when + ": \"" + key.substr(0, 20) + "\" is " +
             (snapshot ? *snapshot : snapshot.passage().to_string()) + ", not " +
             known.right.value_or("erased"));
      }
    }
  }

  // After a write of each key everything is as if nothing had been.
  void heal() {
    for (const auto& [key, known] : scene_.keys) data_->put(key, new_document(key));
    if (!cache_->flush(1min)) fail("not every write came to the store");
    if (cache_->close().left_in_outbox != 0) fail("the outbox is not empty at close");
    cache_.reset();
    world_->store_down();
    open();
    for (const auto& [key, known] : scene_.keys) {
      const auto snapshot = data_->get(key, {.reach = Reach::local});
      if (!snapshot || *snapshot != new_document(key)) {
        fail("\"" + key.substr(0, 20) + "\" has not healed: " + snapshot.passage().to_string());
      }
    }
  }
  static std::string new_document(const std::string& key) { return "{\"healed\":\"" + key + "\"}"; }

  const Scene& scene_;
  Outcomes& outcomes_;
  std::unique_ptr<World> world_;
  std::set<std::string> damaged_;
  bool journal_hit_ = false;
  bool marker_hit_ = false;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
  std::optional<std::string> broken_;
};

}  // namespace

std::vector<Damage> every_damage(const Scene& scene) {
  std::vector<Damage> all;
  for (std::size_t file = 0; file < scene.files.size(); ++file) {
    const std::vector<Damage> of_file = every_damage(file, scene.files[file].second);
    all.insert(all.end(), of_file.begin(), of_file.end());
    for (std::size_t other = file + 1; other < scene.files.size(); ++other) {
      all.push_back({.kind = Damage::Kind::swap, .file = file, .other = other});
    }
  }
  return all;
}

std::string describe(const Scene& scene, const Damage& damage) {
  const std::string what = scene.name + ", " + scene.files[damage.file].first + ": ";
  if (damage.kind == Damage::Kind::swap) {
    return what + "swapped with " + scene.files[damage.other].first;
  }
  return what + "byte " + std::to_string(damage.offset) + " " + to_string(damage.kind);
}

std::optional<std::string> check(const Scene& scene, const Damage& damage, Outcomes& outcomes) {
  ++outcomes.states;
  try {
    return Check(scene, damage, outcomes).run();
  } catch (const std::exception& error) {
    return std::string("it threw: ") + error.what();
  }
}

}  // namespace tiercache::testing
