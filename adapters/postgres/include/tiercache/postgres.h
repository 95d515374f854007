// Postgres as the store: shared by any number of processes and machines. Supabase's too.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::postgres {

// Which server, and how it is used.
//
// | field              | meaning                                    | default       | zero        |
// |--------------------|--------------------------------------------|---------------|-------------|
// | url                | `postgres://user:password@host:port/db`    | required      | not allowed |
// | connections        | open at once, each with a thread; to 256   | 4             | not allowed |
// | connect_timeout    | of one attempt, in whole seconds from 2    | 5 s           | not allowed |
// | statement_timeout  | the server's own bound, where it takes one | 30 s          | none        |
// | prepared           | prepared statements; not through a pooler  | false         |             |
// | max_document_bytes | larger are refused, at most 255 MiB        | 64 MiB        | not allowed |
// | apply_migrations   | make or update the schema where needed     | false         |             |
// | keep_changes       | how long the change feed keeps changes     | 7 days        | for ever    |
// | hint_check_every   | how often a silent LISTEN is put to proof  | 15 s          | no hints    |
// | clock              | for deadlines                              | the machine's |             |
//
// `url` may be a string of keywords too (`host=... dbname=...`); what it leaves out comes from
// libpq's environment variables and files. White space around it is left out, as a file that it was
// read from ends in a line break.
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

// A store on that server. Does no I/O: the first call that needs it connects. While the server is
// away, or the schema missing, the store answers `unavailable` and says why; it recovers by itself.
// Throws BadConfiguration for options that can never work, and for a URL whose password has special
// characters that are not escaped: libpq would take pieces of it for a host, a port or a database.
// The guide is docs/postgres.md.
//
// Hints: each open cache has one more connection, on which it hears of other machines' writes as
// soon as they are there, where nothing in between swallows notifications; a store without hints
// sends none either.
//
// Documents come back as JSONB's text of them, with `Entry::text_checksum`. Do not carry the store
// across fork(): the child opens its own.
std::shared_ptr<Store> open(Options options);
std::shared_ptr<Store> open(std::string_view url);

}  // namespace tiercache::postgres
