// Reading a small file as a whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace refresh_service {

// The file's bytes; nullopt when it cannot be read.
std::optional<std::string> read_text_file(const std::filesystem::path& file);

}  // namespace refresh_service
