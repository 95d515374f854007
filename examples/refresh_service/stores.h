// Which store the service uses, and how it is opened.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tiercache/store.h"

namespace refresh_service {

// What the operator asked for, before anything is opened.
struct StoreChoice {
  enum class Kind { none, sqlite, postgres };
  Kind kind = Kind::none;
  std::string place = {};  // the file, or the URL with its credentials
};

// What may be written for a store; for messages.
inline constexpr const char* kStoreForms = R"("sqlite:PATH", "postgres://…" or "none")";

// The choice that the text says; nullopt for what is none of `kStoreForms`.
std::optional<StoreChoice> parse_store(const std::string& text);

// The store, or null for none. Throws BadConfig where the adapter is not in this build, and
// BadConfiguration where the place can never work.
std::shared_ptr<tiercache::Store> open_store(const StoreChoice& choice);

}  // namespace refresh_service
