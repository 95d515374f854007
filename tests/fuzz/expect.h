// How a fuzz target says that a property does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the process, which libFuzzer reports as a finding with its input.
#define TIERCACHE_FUZZ_EXPECT(condition)                                                  \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
