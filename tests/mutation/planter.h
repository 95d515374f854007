// Which mistakes are planted where.
#pragma once

#include "garden.h"

namespace clang {
class ASTContext;
}

namespace tiercache::mutation {

// Plants what a translation unit has of the garden's rooms. Kinds of mistake:
//
//   boundary   < for <=, > for >=, and the reverse
//   equality   == for !=, and the reverse, where it is no whole condition
//   condition  a condition that is always true, or never
//   operand    one operand of && or || is left out
//   answer     a function's yes for its no
//   call       a statement that is left out: a call, an assignment
//   order      two calls, one after the other, change places
//   loop       a loop that never runs
//   sum        + for -, and the reverse, of numbers and durations
//   extreme    std::max for std::min, and the reverse
//
// Lines of the log at level info and reserved memory are left alone, and so is what macros wrote.
void plant(clang::ASTContext& context, Garden& garden);

}  // namespace tiercache::mutation
