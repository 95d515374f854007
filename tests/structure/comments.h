// Comments as the tree wants them: one on every public declaration, one kind of ruler for sections.
#pragma once

#include <vector>

#include "structure/source_tree.h"

namespace tiercache::structure {

// The headers that users include: without those in a folder `detail`.
std::vector<SourceFile> read_public_headers();

// Types, functions, constants, fields and enumerators without a comment, in namespaces other than
// `detail` and in the public parts of types.
//
// A comment stands directly above, indented like the declaration, or behind it. An overload needs
// none directly below a commented one, nor does a field that the option table above its struct
// names. Destructors, what is defaulted or deleted, overrides, forward declarations, friends,
// definitions of members outside of their class and test cases need none.
std::vector<Finding> uncommented_declarations(const SourceFile& file);

// Initialisers that a comment behind them has driven to a line of their own.
std::vector<Finding> torn_initialisers(const SourceFile& file);

// Section rulers in another form than "// --- Words ---".
std::vector<Finding> odd_rulers(const SourceFile& file);

}  // namespace tiercache::structure
