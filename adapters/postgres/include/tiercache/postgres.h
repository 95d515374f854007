// Postgres as the store, shared by any number of processes and machines. Supabase's Postgres works
// too. The guide is docs/postgres.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Which server is used, and how.
//
// | field              | meaning                                    | default       | zero        |
// |--------------------|--------------------------------------------|---------------|-------------|
// | url                | `postgres://user:password@host:port/name`  | required      | not allowed |
// | connections        | open at once, each with a thread; 1 to 256 | 4             | not allowed |
// | connect_timeout    | how long an attempt to connect may take,   | 5 s           | not allowed |
// |                    | rounded up to whole seconds, at least 2    |               |             |
// | statement_timeout  | how long the server lets a statement run,  | 30 s          | no bound    |
// |                    | if it accepts session options              |               |             |
// | prepared           | use prepared statements; not with a pooler | false         |             |
// | max_document_bytes | larger ones are refused; at most 255 MiB   | 64 MiB        | not allowed |
// | apply_migrations   | make or update the schema if needed        | false         |             |
// | keep_changes       | how long the change feed keeps changes, in | 7 days        | for ever    |
// |                    | hours; at most 10 years                    |               |             |
// | hint_check_every   | how often it is checked that hints can     | 15 s          | no hints    |
// |                    | come, while none comes                     |               |             |
// | clock              | the clock of the deadlines                 | the machine's | not allowed |
//
// Each of the three timeouts, `connect_timeout`, `statement_timeout` and `hint_check_every`, is at
// most a day.
//
// `url` may also be a string of keywords (`host=... dbname=...`). What it leaves out comes from
// libpq's environment variables and files. White space around it is ignored, such as the line break
// at the end of a file that it was read from.
struct Options {
  std::string url;
  int connections = 4;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{30'000};
  bool prepared = false;
  std::size_t max_document_bytes = std::size_t{64} << 20;
  bool apply_migrations = false;
  std::chrono::hours keep_changes{24 * 7};
  std::chrono::milliseconds hint_check_every{15'000};
  std::shared_ptr<Clock> clock = system_clock();
};

// Returns a store on that server. Does no I/O: the first call that needs the server connects. While
// the server is away or the schema is missing, the store answers `unavailable` and says why; it
// recovers by itself. Throws `BadConfiguration` for options that can never work, and for a URL
// whose password has special characters that are not escaped, because libpq would take parts of it
// for a host, a port or a database.
//
// With hints each open cache has one more connection, on which it hears of other machines' writes
// at once, unless something in between swallows notifications. A store without hints sends none
// either.
//
// Documents come back as the text that JSONB makes of them, with `Entry::text_checksum`. Do not
// carry the store across fork(): the child must open its own. Thread-safe.
std::shared_ptr<Store> open(Options options);
// The same with all other options at their defaults.
std::shared_ptr<Store> open(std::string_view url);

}  // namespace tiercache::postgres
