// A directory with entries of every kind, its store, and what a cache may serve of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/world.h"
#include "tiercache/entry.h"

namespace tiercache::testing {

inline constexpr const char* kDataset = "documents";

struct KnownKey {
  std::optional<std::string> right;  // nullopt: erased
  std::set<std::string> older;       // what it was before
  bool confirmed = true;             // the store has it
  bool journal_only = false;         // nor has its file
  bool local = true;                 // it was known in this directory
  std::string file;                  // where its file lies
};

struct Scene {
  std::string name;
  std::vector<std::pair<std::string, std::string>> files;  // path and bytes
  std::vector<std::pair<EntryId, Entry>> rows;             // of the store
  std::map<std::string, KnownKey> keys;
  WallTime now;

  // A world that is as this one was when its process ended.
  std::unique_ptr<World> build() const;
};

Dataset<JsonText> open_documents(Cache& cache);

// The process was killed with writes that the store has not confirmed, some of which are in no
// file.
Scene killed_scene();
// Closed in order, with everything confirmed.
Scene closed_scene();

}  // namespace tiercache::testing
