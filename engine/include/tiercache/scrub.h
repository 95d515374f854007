// Compares the tiers with each other while they serve, and brings them together again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tiercache {

// What `Cache::scrub` looks at, and whether it mends.
//
// | field    | meaning                                             | default | zero or empty        |
// |----------|-----------------------------------------------------|---------|----------------------|
// | dataset  | this one alone; it is open or has entries here      | empty   | all in the directory |
// | repair   | what differs is mended; else only counted           | false   |                      |
// | page     | keys to one call into the store; at most 10,000     | 100     | not allowed          |
// | pause    | rest after each page, to spare the disk and store   | 0       | none                 |
// | deadline | of the whole call                                   | 1 h     | ends at once         |
struct ScrubOptions {
  std::string dataset = {};
  bool repair = false;
  std::size_t page = 100;
  std::chrono::milliseconds pause{0};
  std::chrono::milliseconds deadline = std::chrono::hours(1);
};

// Counts of keys. A difference is counted only when a second look shows it too, for readers and
// writers go on meanwhile. How each is mended stands behind it.
struct ScrubReport {
  std::uint64_t keys = 0;       // looked at: what the directory knows, tombstones included
  std::uint64_t unsettled = 0;  // of these: not compared with the store, which the outbox will tell
  std::uint64_t file_corrupt = 0;  // bytes do not hold: in quarantine now; taken from the store
  std::uint64_t file_lost = 0;     // the index knew a file that is not there; taken from the store
  std::uint64_t index_wrong = 0;  // the index said other than the file; it follows the file at once
  std::uint64_t memory_differs = 0;  // memory and file are of different versions: the newer counts
  std::uint64_t store_ahead = 0;     // the row is newer, or was fetched later; taken from the store
  std::uint64_t store_behind = 0;    // the row is older, though it was confirmed: sent again
  std::uint64_t store_missing = 0;   // confirmed, not purged, and there is no row: sent again
  std::uint64_t store_corrupt = 0;   // the row's bytes do not hold: sent again
  std::uint64_t store_differs = 0;   // one version, two contents: the store's is taken
  std::uint64_t repaired = 0;        // with `repair`: mended here, or in the outbox by now
  std::uint64_t failed = 0;          // with `repair`: could not be mended now; `why` says more
  bool complete = false;             // every key was looked at
  std::string why;                   // why not, or why something could not be mended

  // All differences together: every count of a kind of them, mended or not.
  std::uint64_t differences() const {
    return file_corrupt + file_lost + index_wrong + memory_differs + store_ahead + store_behind +
           store_missing + store_corrupt + store_differs;
  }
  // One line for a person.
  std::string to_string() const;
};

}  // namespace tiercache
