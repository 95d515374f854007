// Measures how much memory each subject takes per entry, besides the key's characters and the
// document.
#pragma once

namespace tiercache::bench {

// Prints one line per subject. It forks for each, so that none inherits another's heap, and so must
// be called before the first thread starts.
void print_bytes_per_entry();

}  // namespace tiercache::bench
