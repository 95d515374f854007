// Files of environment variables, such as .env.example, and putting them into the process.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace refresh_service {

using Variables = std::map<std::string, std::string>;

// Lines NAME=value, with comments (#), `export` and quotes as shells take them, but without
// expansion. Throws BadConfig with the number of a line that is none, never with its text.
Variables parse_env_file(std::string_view text);
// Reads the file and parses it; what it throws names the file.
Variables read_env_file(const std::filesystem::path& file);

// Puts into the process's environment what is not there yet. It must be called before there is any
// other thread.
void add_to_process(const Variables& variables);

}  // namespace refresh_service
