// Who may include whom: the edges of design §8.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {

// The headers of our own, by the name they are included by.
//   "public"           engine/include
//   "room:<name>"      engine/src/<name>
//   "testing"          engine/testing
//   "adapter:<name>"   adapters/<name>
using Owners = std::map<std::string, std::string>;

// The part a source file belongs to, in the same words; empty for what is under no rule.
std::string part_of(const std::string& path);
// Headers as the tree has them.
Owners read_owners();

// What is wrong with the includes of one file.
std::vector<Finding> check_includes(const SourceFile& file, const Owners& owners);

}  // namespace tiercache::structure
