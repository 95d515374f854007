#include "options.h"

#include <string>

#include "tiercache/error.h"

namespace tiercache::postgres {

namespace {

constexpr int kMostConnections = 256;
// Postgres' own bound on a value in jsonb is 256 MiB less one byte.
constexpr std::size_t kLargestDocument = std::size_t{255} << 20;
// An index entry has at most 2,704 bytes if nothing in it can be compressed. It holds the project's
// number and the lengths too.
constexpr std::size_t kMostKeyBytes = 2'600;
constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24);
constexpr std::chrono::hours kLongestKeep{24 * 3'650};

std::string in_ms(std::chrono::milliseconds time) {
  return std::to_string(time.count()) + " ms";
}

}  // namespace

void check_options(const Options& options) {
  using namespace std::chrono_literals;
  std::string faults;
  const auto fault = [&faults](const std::string& text) {
    faults += faults.empty() ? text : "\n" + text;
  };
  if (options.url.empty()) fault("postgres.url: empty, a server's URL is needed");
  if (options.url.find('\0') != std::string::npos) fault("postgres.url: holds a NUL byte");
  if (options.connections < 1 || options.connections > kMostConnections) {
    fault("postgres.connections: " + std::to_string(options.connections) + ", allowed are 1 to " +
          std::to_string(kMostConnections));
  }
  if (options.connect_timeout <= 0ms || options.connect_timeout > kLongestTimeout) {
    fault("postgres.connect_timeout: " + in_ms(options.connect_timeout) +
          ", allowed are 1 ms to a day");
  }
  if (options.statement_timeout < 0ms || options.statement_timeout > kLongestTimeout) {
    fault("postgres.statement_timeout: " + in_ms(options.statement_timeout) +
          ", allowed are 0 to a day");
  }
  if (options.max_document_bytes < 1 || options.max_document_bytes > kLargestDocument) {
    fault("postgres.max_document_bytes: " + std::to_string(options.max_document_bytes) +
          ", allowed are 1 to " + std::to_string(kLargestDocument));
  }
  if (options.keep_changes < 0h || options.keep_changes > kLongestKeep) {
    fault("postgres.keep_changes: " + std::to_string(options.keep_changes.count()) +
          " h, allowed are 0 to 10 years");
  }
  if (options.hint_check_every < 0ms || options.hint_check_every > kLongestTimeout) {
    fault("postgres.hint_check_every: " + in_ms(options.hint_check_every) +
          ", allowed are 0 to a day");
  }
  if (!options.clock) fault("postgres.clock: null");
  if (!faults.empty()) throw BadConfiguration(faults);
}

StoreLimits limits_of(const Options& options) {
  return {.max_document_bytes = options.max_document_bytes,
          .max_key_bytes = kMostKeyBytes,
          .refuses_nul_escape = true,
          .refuses_unbounded_numbers = true,
          .writes_numbers_out = true};
}

}  // namespace tiercache::postgres
