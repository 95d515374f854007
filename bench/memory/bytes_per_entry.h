// What each subject takes per entry beside the key's characters and the document.
#pragma once

namespace tiercache::bench {

// Prints one line per subject. Forks for each, so that none inherits another's heap: call it before
// the first thread starts.
void print_bytes_per_entry();

}  // namespace tiercache::bench
