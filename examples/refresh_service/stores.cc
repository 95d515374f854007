#include "refresh_service/stores.h"

#include <filesystem>

#include "refresh_service/bad_config.h"
#include "tiercache/sqlite.h"
#ifdef TIERCACHE_WITH_POSTGRES
#include "tiercache/postgres.h"
#endif

namespace refresh_service {

namespace {

std::shared_ptr<tiercache::Store> open_postgres(const std::string& url) {
#ifdef TIERCACHE_WITH_POSTGRES
  return tiercache::postgres::open({.url = url, .apply_migrations = true});
#else
  (void)url;
  throw BadConfig(
      "this service was built without tiercache::postgres: install libpqxx, and build it again");
#endif
}

}  // namespace

std::optional<StoreChoice> parse_store(const std::string& text) {
  using Kind = StoreChoice::Kind;
  constexpr std::string_view kSqlite = "sqlite:";
  if (text == "none") return StoreChoice{};
  if (text.starts_with("postgres://") || text.starts_with("postgresql://")) {
    return StoreChoice{Kind::postgres, text};
  }
  if (!text.starts_with(kSqlite)) return std::nullopt;
  const std::string path = text.substr(kSqlite.size());
  if (!std::filesystem::path(path).has_filename()) return std::nullopt;
  return StoreChoice{Kind::sqlite, path};
}

std::shared_ptr<tiercache::Store> open_store(const StoreChoice& choice) {
  switch (choice.kind) {
    case StoreChoice::Kind::sqlite:
      return tiercache::sqlite::open(choice.place);
    case StoreChoice::Kind::postgres:
      return open_postgres(choice.place);
    case StoreChoice::Kind::none:
      break;
  }
  return nullptr;
}

}  // namespace refresh_service
