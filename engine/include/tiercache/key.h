// Builds keys out of parts.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache {

// Joins parts with ':' as in "session:42:state". ':', '%', '*', '?' and '\' inside a part are
// percent-encoded, so that different parts never make the same key and an escaped part stands for
// itself in a glob.
std::string make_key(std::initializer_list<std::string_view> parts);

// Escapes one part as `make_key` does, for a glob: escape_key_part("session") + ":*".
std::string escape_key_part(std::string_view part);

// The parts of such a key, unescaped.
std::vector<std::string> split_key(std::string_view key);

}  // namespace tiercache
