// Builds keys out of parts and takes them apart again. All functions are pure and thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache {

// Joins parts with ':' as in "session:42:state". ':', '%', '*', '?' and '\' inside a part are
// percent-encoded, so that different parts never make the same key, and an escaped part stands for
// itself in a glob. No parts make the empty key.
std::string make_key(std::initializer_list<std::string_view> parts);

// Escapes one part as `make_key` does. Use it to build globs: escape_key_part("session") + ":*".
std::string escape_key_part(std::string_view part);

// Returns the parts of such a key, unescaped; for the empty key one empty part. A '%' that begins
// no escape of `make_key`'s (two digits, upper case) stands for itself.
std::vector<std::string> split_key(std::string_view key);

}  // namespace tiercache
