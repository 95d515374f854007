// What the Postgres tests share: the private server they run beside, direct access to it, entries.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <pqxx/pqxx>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/postgres.h"

namespace tiercache::postgres {

// Long enough for a server that works, short enough to wait for one that does not.
inline constexpr std::chrono::milliseconds kShort{300};

// Of tests/servers/postgres.sh.
inline std::string from_server_script(const char* name) {
  const char* value = ::getenv(name);
  if (!value) ADD_FAILURE() << name << " is not set: run by tests/servers/postgres.sh PROGRAM";
  return value ? value : "";
}
inline std::string server_url() {
  return from_server_script("TIERCACHE_TEST_POSTGRES");
}
inline std::string admin_url() {
  return from_server_script("TIERCACHE_TEST_POSTGRES_ADMIN");
}
// Empty where there is no pgbouncer.
inline std::string pooler_url() {
  return from_server_script("TIERCACHE_TEST_PGBOUNCER");
}

// The URL with another user, password or database.
inline std::string with_user(const std::string& url, const std::string& user,
                             const std::string& password) {
  const auto at = url.find('@');
  return "postgres://" + user + ":" + password + url.substr(at);
}
inline std::string with_database(const std::string& url, const std::string& database) {
  return url.substr(0, url.rfind('/') + 1) + database;
}
// The port of a postgres:// URL, and the URL with another one.
inline std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}
inline std::string with_port(const std::string& url, std::uint16_t port) {
  const auto colon = url.rfind(':');
  return url.substr(0, colon + 1) + std::to_string(port) + url.substr(url.find('/', colon));
}
inline std::string password_of(const std::string& url) {
  const auto at = url.find('@');
  const auto colon = url.rfind(':', at);
  return url.substr(colon + 1, at - colon - 1);
}

// A connection of someone else: psql, another program.
class Outsider {
 public:
  explicit Outsider(const std::string& url = admin_url()) : connection_(url) {}

  // Throws what the server refuses.
  void run(const std::string& sql) {
    pqxx::nontransaction transaction(connection_);
    transaction.exec(sql);
  }
  // The first column of the first row; "" for none.
  std::string ask(const std::string& sql) {
    pqxx::nontransaction transaction(connection_);
    const pqxx::result rows = transaction.exec(sql);
    return rows.empty() || rows[0][0].is_null() ? "" : rows[0][0].c_str();
  }
  pqxx::connection& raw() { return connection_; }

 private:
  pqxx::connection connection_;
};

// A database of its own, empty; goes with the object.
class ScratchDatabase {
 public:
  ScratchDatabase() {
    static std::atomic<int> number{0};
    name_ = "scratch" + std::to_string(++number);
    const std::string url = server_url();
    const auto user = url.substr(11, url.find(':', 11) - 11);
    Outsider().run("create database " + name_ + " owner " + user);
  }
  // A server that a test brought down may still be on its way up.
  ~ScratchDatabase() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    std::string why = "not tried";
    while (!why.empty() && std::chrono::steady_clock::now() < deadline) why = dropped();
    EXPECT_EQ(why, "") << name_ << " is still there";
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  std::string url() const { return with_database(server_url(), name_); }
  std::string admin() const { return with_database(admin_url(), name_); }

 private:
  // Why not; "" when it is gone.
  std::string dropped() {
    try {
      Outsider().run("drop database if exists " + name_ + " with (force)");
      return "";
    } catch (const std::exception& error) {
      return error.what();
    }
  }

  std::string name_;
};

inline SteadyTime in(std::chrono::milliseconds time) {
  return system_clock()->steady_now() + time;
}
// Reached only by a store that hangs.
inline SteadyTime patience() {
  return in(std::chrono::minutes(2));
}

inline Version version(std::uint64_t number) {
  return {(std::uint64_t{1'700'000'000'000} << Version::kCounterBits) + number, 7};
}

inline StoreWrite write(const std::string& key, std::uint64_t number,
                        std::string document = "{\"a\": 1}") {
  StoreWrite out;
  out.id = {"d", key};
  out.entry.version = version(number);
  out.entry.checksum = Checksum::of(document);
  out.entry.document = std::make_shared<const std::string>(std::move(document));
  return out;
}

inline StoreWrite tombstone(const std::string& key, std::uint64_t number) {
  StoreWrite out;
  out.id = {"d", key};
  out.entry.kind = EntryKind::tombstone;
  out.entry.version = version(number);
  return out;
}

inline SaveReply save(Store& store, const std::vector<StoreWrite>& writes,
                      SteadyTime deadline = patience()) {
  return store.save("p", writes, deadline);
}
inline SaveReply save(Store& store, const StoreWrite& one, SteadyTime deadline = patience()) {
  return store.save("p", std::span(&one, 1), deadline);
}

inline LoadReply load(Store& store, const std::string& key, SteadyTime deadline = patience()) {
  const EntryId id{"d", key};
  return store.load("p", std::span(&id, 1), deadline);
}

// The key's version; zero when it is not there, cannot be read or is corrupt.
inline Version loaded_version(Store& store, const std::string& key) {
  const LoadReply reply = load(store, key);
  return reply.entries.empty() || !reply.entries[0] ? Version{} : reply.entries[0]->version;
}

}  // namespace tiercache::postgres
