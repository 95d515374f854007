// Which tests prove which invariant (I1 to I14, README.md), by the tests' names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {

inline constexpr int kInvariants = 14;

// By number: the tests that name the invariant, as "Suite.test".
using TestsByInvariant = std::map<int, std::vector<std::string>>;
TestsByInvariant tests_by_invariant(const std::vector<SourceFile>& files);

// What README's table says of the invariants: rows begin with `| I<number> |`, and the cell below
// the header "State" begins with "stands" or "not yet".
struct Claims {
  std::map<int, bool> stands;
  std::vector<Finding> findings;  // rows that say something else, and rows that are missing
};
Claims read_claims(const SourceFile& readme);

// What docs/reliability.md links as proofs: the files in the last cell of the row of each
// invariant, relative to the source directory.
using ProofsByInvariant = std::map<int, std::vector<std::string>>;
ProofsByInvariant read_proofs(const SourceFile& reliability);

// Proofs that are none: files with tests of which none names the invariant. A program without tests
// proves by being run.
std::vector<Finding> empty_proofs(const ProofsByInvariant& proofs,
                                  const std::vector<SourceFile>& files);

}  // namespace tiercache::structure
