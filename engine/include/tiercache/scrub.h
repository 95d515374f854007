// What a comparison of all tiers (`Cache::scrub`) is asked for, and what it finds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tiercache {

// What `Cache::scrub` looks at, and whether it mends what it finds.
//
// | field    | meaning                                        | default | zero or empty        |
// |----------|------------------------------------------------|---------|----------------------|
// | dataset  | only this one, open or in the directory        | empty   | all in the directory |
// | repair   | mend what differs; otherwise count it          | false   |                      |
// | page     | keys that one call into the store asks for; at | 100     | not allowed          |
// |          | most 10,000                                    |         |                      |
// | pause    | rest after a page, to spare disk and store     | 0       | none                 |
// | deadline | how long the whole call may take               | 1 h     | ends at once         |
//
// Without `repair` it is no dry run: damaged files go to quarantine and a wrong index is set right,
// as by any read.
struct ScrubOptions {
  std::string dataset = {};
  bool repair = false;
  std::size_t page = 100;
  std::chrono::milliseconds pause{0};
  std::chrono::milliseconds deadline = std::chrono::hours(1);
};

// What a scrub found, in numbers of keys, and how it mends each difference. Since readers and
// writers go on meanwhile, a difference is counted only if a second look shows it too; but a
// damaged file counts at once.
struct ScrubReport {
  std::uint64_t keys = 0;  // that were looked at: all in the directory, tombstones included
  // How many of those were not compared with the store, because the journal holds a write of
  // theirs, parked ones included, or a matching erase that hides them.
  std::uint64_t unsettled = 0;
  // The file's bytes do not match their checksum, so it is in quarantine. It is written again from
  // memory or from the store.
  std::uint64_t file_corrupt = 0;
  // The index knows a file that is not there. It is taken from the store, if that has the entry;
  // without a store it is written again from memory, also without `repair`, since it would be
  // nowhere else.
  std::uint64_t file_lost = 0;
  std::uint64_t index_wrong = 0;  // the index differs from the file, and is set right at once
  // Memory and file have different versions; the newer version is kept.
  std::uint64_t memory_differs = 0;
  // The store's row is newer than the file, or was fetched later; the row is taken.
  std::uint64_t store_ahead = 0;
  // The store's row is older than the version it once confirmed; ours is sent again.
  std::uint64_t store_behind = 0;
  // The store's row is gone without having been purged; ours is sent again.
  std::uint64_t store_missing = 0;
  // The bytes of the store's row do not match their checksum; ours is sent again.
  std::uint64_t store_corrupt = 0;
  // One version has two contents; the store's is taken.
  std::uint64_t store_differs = 0;
  std::uint64_t repaired = 0;  // with `repair`: mended here, or in the outbox by now
  // Files that could not be read, and with `repair` also differences that could not be mended now.
  // `why` says more.
  std::uint64_t failed = 0;
  bool complete = false;  // the scrub went through all keys
  std::string why;        // why not, or why something could not be mended; else empty

  // Returns how many differences there are of all kinds together, mended or not.
  std::uint64_t differences() const {
    return file_corrupt + file_lost + index_wrong + memory_differs + store_ahead + store_behind +
           store_missing + store_corrupt + store_differs;
  }
  // Returns it as one line of text for people.
  std::string to_string() const;
};

}  // namespace tiercache
