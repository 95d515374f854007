// What each value of the configuration must be. A form takes one value by itself; what several
// values must be together is in config_checks.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "refresh_service/fields.h"
#include "refresh_service/stores.h"
#include "tiercache/options.h"

namespace refresh_service::forms {

extern const Form<bool> kFlag;
extern const Form<std::chrono::milliseconds> kDuration;
extern const Form<std::size_t> kMemorySize;
extern const Form<std::size_t> kCount;
extern const Form<std::string> kName;  // of projects and datasets
extern const Form<std::string> kAddress;
extern const Form<int> kPort;
extern const Form<std::filesystem::path> kLocalDirectory;
extern const Form<std::filesystem::path> kFolder;  // one that is there
extern const Form<std::string> kUrl;
extern const Form<std::string> kJsonPointer;
extern const Form<std::string> kVariableName;
extern const Form<std::string> kPemFile;
extern const Form<std::vector<std::string>> kMemberNames;
extern const Form<tiercache::Hydrate> kHydrate;
// Credentials have no place in the file, so it cannot name a Postgres.
extern const Form<StoreChoice> kFileStore;
// As it stands; what its items must be is read one by one.
extern const Form<nlohmann::json> kDatasets;

// Whether the text has the form of a name, wherever it stands.
bool is_name(const std::string& text);

}  // namespace refresh_service::forms
