// Which store the service uses, and opening it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tiercache/store.h"

namespace refresh_service {

struct StoreChoice {
  enum class Kind { none, sqlite, postgres };
  Kind kind = Kind::none;
  std::string place = {};  // the file, or the URL with its credentials
};

// What may be written for a store; for messages.
inline constexpr const char* kStoreForms = R"("sqlite:PATH", "postgres://…" or "none")";

// Nullopt for what is none of `kStoreForms`.
std::optional<StoreChoice> parse_store(const std::string& text);

// Null for none. Throws BadConfig where the adapter is not in this build, BadConfiguration where
// the place can never work.
std::shared_ptr<tiercache::Store> open_store(const StoreChoice& choice);

}  // namespace refresh_service
