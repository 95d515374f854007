// What the tour plays with: real documents, an upstream and the service as processes, the cache's
// directory, the store's file.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tour/child.h"
#include "tour/report.h"

namespace tour {

struct Document {
  std::string key;  // the file's name without ".json"
  std::string text;
};

// The folder's JSON files by name, at most so many. Files that are not JSON are left out.
std::vector<Document> read_documents(const std::filesystem::path& folder, std::size_t at_most);

// The service keeps four datasets:
// "documents"  keyed, from the upstream, fresh for an hour
// "archive"    the same, but nothing is brought from the store at start
// "headline"   the first document, from the upstream every half second, fresh for one
// "notes"      keyed, without a source: what readers put
class World {
 public:
  struct Setup {
    std::string service;              // the program
    std::filesystem::path documents;  // the folder
    std::filesystem::path work;       // an empty directory of the tour's own
    std::size_t at_most = 40;         // documents
    // A Postgres URL; empty: SQLite, a file of the tour's own.
    std::string postgres;
    // A command that takes `stop` and `start`, for the server; empty: it is not the tour's to stop.
    std::string postgres_control;
  };
  explicit World(const Setup& setup);

  const std::vector<Document>& documents() const { return documents_; }

  void start_upstream();
  void kill_upstream() { upstream_.reset(); }
  // How often the upstream was asked for documents, but for the headline's.
  int upstream_calls() const;

  // Waits until the service says that it has warmed up.
  void start_service();
  // SIGTERM. The receipt it printed; throws when it did not end with 0.
  std::string stop_service();
  void kill_service();

  // Asked again where the machine is too slow for the service's deadline, but for while the
  // upstream or the store is away.
  Answer get(const std::string& dataset, const std::string& key = {}) const;
  // True when it was acknowledged.
  bool put(const std::string& dataset, const std::string& key, const std::string& text) const;
  // The number of a /stats member such as "/outbox/depth".
  long stat(const std::string& pointer) const;
  nlohmann::json health() const;
  // Every write is in its file and in the store.
  bool all_settled() const { return stat("/outbox/depth") == 0 && stat("/files/waiting") == 0; }

  // Whether the store can be taken away at all.
  bool owns_store() const { return setup_.postgres.empty() || !setup_.postgres_control.empty(); }
  // A document, as it was put. A Postgres store keeps JSON values: its text of one may be another.
  bool is_same(const std::string& body, const std::string& text) const;

  // The store goes away, by its folder as a disk does that is unmounted, or by its server's stop,
  // and comes back.
  void take_store_away();
  void bring_store_back();
  void wipe_cache_directory();
  // The entry's file in the cache's directory, found by what it says of itself. Throws when there
  // is none.
  std::filesystem::path entry_file(const std::string& dataset, const std::string& key) const;
  // The contents of the files that the cache put aside as corrupt.
  std::vector<std::string> quarantined() const;

 private:
  void write_config() const;
  Answer ask(const std::string& dataset, const std::string& key) const;
  void control_store(const std::string& command) const;
  std::filesystem::path cache() const { return setup_.work / "cache"; }

  const Setup setup_;
  const std::vector<Document> documents_;
  std::unique_ptr<Child> upstream_;
  std::unique_ptr<Child> service_;
  int upstream_port_ = 0;
  bool store_is_away_ = false;
  std::string service_url_;
};

std::string read_file(const std::filesystem::path& file);

}  // namespace tour
