// Who may include whom: the edges of docs/architecture.md.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {

// A room under engine/src, and the rooms whose headers it may include, besides its own and the
// public ones. "cache_local" is engine/src/cache/local.
struct Room {
  std::string name;
  std::vector<std::string> may_include;
};
// All rooms, from the bottom up: each may include rooms before it alone, so there is no circle.
// docs/architecture.md prints this table, and a test compares the two.
const std::vector<Room>& rooms();

// The headers of our own, by the name they are included by.
//   "public"           engine/include
//   "room:<name>"      engine/src/<name>
//   "room:<a>_<b>"     engine/src/<a>/<b>
//   "testing"          engine/testing
//   "adapter:<name>"   adapters/<name>
using Owners = std::map<std::string, std::string>;

// The part a source file belongs to, in the same words; empty for what is under no rule.
std::string part_of(const std::string& path);
// Headers as the tree has them.
Owners read_owners();

// What is wrong with the includes of one file.
std::vector<Finding> check_includes(const SourceFile& file, const Owners& owners);

// The parts whose headers define a class of that name.
using ClassOwners = std::map<std::string, std::set<std::string>>;
ClassOwners read_class_owners();
// A part names a class of another that it may not include, by declaring it ahead.
std::vector<Finding> check_forward_declarations(const SourceFile& file, const ClassOwners& owners);
// A part asks what others are to answer, or changes what others are to change.
std::vector<Finding> check_calls(const SourceFile& file);
// Of sources in engine/src, a header and its .cc counted as one: those that reach themselves
// through others.
std::vector<Finding> check_circles(const std::vector<SourceFile>& files);
std::map<std::string, std::size_t> lines_by_part(const std::vector<SourceFile>& files);

}  // namespace tiercache::structure
