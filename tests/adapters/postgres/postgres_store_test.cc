// The Postgres store beyond what every store must do: options, secrets, rows that rot, refusals,
// what an update costs.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "adapters/postgres/machine.h"
#include "tiercache/error.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;

TEST(PostgresOptions, open_names_every_impossible_option) {
  try {
    open({.url = "",
          .connections = 0,
          .connect_timeout = milliseconds(0),
          .statement_timeout = milliseconds(-1),
          .max_document_bytes = 0,
          .keep_changes = std::chrono::hours(-1),
          .hint_check_every = milliseconds(-1),
          .clock = nullptr});
    FAIL() << "opened";
  } catch (const BadConfiguration& error) {
    const std::string what = error.what();
    for (const char* field : {"url", "connections", "connect_timeout", "statement_timeout",
                              "max_document_bytes", "keep_changes", "hint_check_every", "clock"}) {
      EXPECT_NE(what.find(field), std::string::npos) << what;
    }
  }
}

TEST(PostgresOptions, url_that_cannot_be_read_is_not_shown_I11) {
  for (const char* url : {"postgres://user:hunter2%zz@host/db", "host=a password='hunter2",
                          "postgres://user:hunter2@host/db?hunter2=1", "hunter2"}) {
    try {
      open(url);
      ADD_FAILURE() << "opened " << url;
    } catch (const BadConfiguration& error) {
      EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << error.what();
    }
  }
}

TEST(PostgresOptions, description_and_messages_hold_no_secret_I11) {
  const std::string url = with_user(server_url(), "nobody", "hunter2%2Fx");
  const auto store = open(url);
  EXPECT_NE(store->describe().find("127.0.0.1"), std::string::npos);
  EXPECT_NE(store->describe().find("nobody"), std::string::npos);
  const LoadReply reply = load(*store, "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("password authentication failed"), std::string::npos)
      << reply.message;
  for (const std::string& text : {store->describe(), reply.message}) {
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  }
}

TEST(PostgresOptions, open_connects_to_nothing) {
  const auto store = open("postgres://nobody@127.0.0.1:1/nothing");
  EXPECT_NE(store->describe(), "");
  const SaveReply reply = save(*store, write("k", 1));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("cannot connect"), std::string::npos) << reply.message;
}

TEST(PostgresOptions, limits_are_those_of_jsonb) {
  const StoreLimits limits = open({.url = server_url(), .max_document_bytes = 123})->limits();
  EXPECT_TRUE(limits.refuses_nul_escape);
  EXPECT_TRUE(limits.refuses_unbounded_numbers);
  EXPECT_EQ(limits.max_document_bytes, 123u);
}

class PostgresStore : public ::testing::Test {
 protected:
  PostgresStore()
      : store_(open({.url = database_.url(), .apply_migrations = true})),
        outsider_((load(*store_, "none"), database_.admin())) {}

  ScratchDatabase database_;
  std::shared_ptr<Store> store_;
  Outsider outsider_;
};

TEST_F(PostgresStore, text_is_jsonbs_and_checksum_is_the_puts) {
  const std::string put = "{\"b\":1,   \"a\":[1,2]}";
  save(*store_, write("k", 1, put));
  const EntryPtr entry = load(*store_, "k").entries.at(0);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(*entry->document, "{\"a\": [1, 2], \"b\": 1}");
  EXPECT_EQ(entry->checksum, Checksum::of(put));
  EXPECT_EQ(entry->text_checksum, Checksum::of(*entry->document));
  const std::string same = "{\"a\": 1}";
  save(*store_, write("same", 1, same));
  EXPECT_EQ(load(*store_, "same").entries.at(0)->text_checksum, std::nullopt);
}

TEST_F(PostgresStore, row_that_was_changed_by_hand_is_corrupt_not_served_I2) {
  save(*store_, {write("k", 1), write("good", 1)});
  outsider_.run("update tiercache.cache_storage set data = '{\"a\": 2}' where cache_key = 'k'");
  const LoadReply reply = load(*store_, "k");
  EXPECT_EQ(reply.entries.at(0), nullptr);
  EXPECT_TRUE(reply.corrupt.at(0));
  const ScanReply scanned = store_->scan("p", "d", "", 10, patience());
  ASSERT_EQ(scanned.entries.size(), 1u);
  EXPECT_EQ(scanned.entries[0].id.key, "good");
}

TEST_F(PostgresStore, cache_keeps_a_corrupt_row_aside_before_it_is_healed_I9) {
  save(*store_, write("k", 1));
  outsider_.run("update tiercache.cache_storage set data = '{\"rotten\": 1}'");
  const LoadReply reply = load(*store_, "k");
  ASSERT_NE(reply.corrupt_text.at(0), nullptr);
  EXPECT_EQ(*reply.corrupt_text[0], "{\"rotten\": 1}");
  Machine machine(store_);
  EXPECT_FALSE(machine.data().get("k", {.reach = Reach::store}).has_value());
  machine.data().put("k", "1");
  ASSERT_TRUE(machine.cache().flush());
  machine.cache().close();
  EXPECT_FALSE(load(*store_, "k").corrupt.at(0));
  std::string kept;
  for (const auto& file : std::filesystem::directory_iterator(machine.directory() / "quarantine")) {
    std::ifstream in(file.path());
    kept.append(std::istreambuf_iterator<char>(in), {});
  }
  EXPECT_EQ(kept, "tiercache-row 1 \"d\" \"k\"\n{\"rotten\": 1}");
}

TEST_F(PostgresStore, corrupt_row_is_healed_by_its_own_content_or_newer_never_older_I9_I3) {
  for (const char* damage : {"data = '{\"a\": 2}'", "stored_checksum = repeat('0', 64)"}) {
    SCOPED_TRACE(damage);
    save(*store_, write("k", 5));
    outsider_.run(std::string("update tiercache.cache_storage set ") + damage);
    const SaveResult older = save(*store_, write("k", 4)).results.at(0);
    EXPECT_EQ(older.outcome, SaveOutcome::superseded);
    EXPECT_EQ(older.current, nullptr);
    EXPECT_EQ(save(*store_, write("k", 5)).results.at(0).outcome, SaveOutcome::saved);
    EXPECT_EQ(loaded_version(*store_, "k"), version(5));
  }
  outsider_.run("update tiercache.cache_storage set data = '{\"a\": 2}'");
  EXPECT_EQ(save(*store_, write("k", 6)).results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(loaded_version(*store_, "k"), version(6));
}

TEST_F(PostgresStore, stored_checksum_is_of_the_rows_own_text) {
  save(*store_, write("k", 1, "{\"b\":1,\"a\":\"\\u00e9\"}"));
  EXPECT_EQ(outsider_.ask("select stored_checksum = encode(sha256(data::text::bytea), 'hex') "
                          "from tiercache.cache_storage"),
            "t");
}

TEST_F(PostgresStore, refused_rows_are_found_among_good_ones_and_their_data_is_not_told) {
  StoreWrite bad_metadata = write("metadata", 1);
  bad_metadata.entry.metadata = "{\"secret-metadata";
  StoreWrite bad_time = write("time", 1);
  bad_time.entry.clocks.last_fetch = WallTime::max();
  StoreWrite nul_key = write(std::string("a\0b", 3), 1);
  const std::vector<StoreWrite> writes = {
      write("good0", 1), write("nul", 1, R"({"secret-text": "\u0000"})"),
      write("good1", 1), write("number", 1, "1e999999"),
      bad_metadata,      write("json", 1, "{secret-text"),
      bad_time,          write("bytes", 1, "\"\xff secret-text\""),
      nul_key,           write(std::string(4'000, 'k') + "random", 1),
      write("good2", 1)};
  const SaveReply reply = save(*store_, writes);
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    SCOPED_TRACE(writes[i].id.key.substr(0, 20));
    const SaveResult& result = reply.results.at(i);
    const bool good = writes[i].id.key.starts_with("good") || writes[i].id.key.starts_with("kkk");
    EXPECT_EQ(result.outcome, good ? SaveOutcome::saved : SaveOutcome::refused) << result.why;
    EXPECT_EQ(result.why.empty(), good);
    EXPECT_EQ(result.why.find("secret"), std::string::npos) << result.why;
  }
}

TEST_F(PostgresStore, key_too_long_for_an_index_is_refused_alone) {
  std::string key;
  for (int i = 0; key.size() < 4'000; ++i) key += Checksum::of(std::to_string(i)).to_string();
  const SaveReply reply = save(*store_, {write("good", 1), write(key, 1)});
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_EQ(reply.results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(reply.results.at(1).outcome, SaveOutcome::refused);
}

// The first is saved while the refused one is looked for; then the server takes no more.
TEST_F(PostgresStore, batch_of_which_a_part_was_saved_before_the_server_failed_is_in_doubt_I13) {
  outsider_.run(
      "create function public.raise() returns trigger language plpgsql as $$ begin "
      "if new.cache_key = 'k2' then raise exception 'bad data' using errcode = '22000'; end if; "
      "if new.cache_key = 'k3' then raise exception 'full' using errcode = '53100'; end if; "
      "return new; end $$");
  outsider_.run(
      "create trigger trouble before insert or update on tiercache.cache_storage "
      "for each row execute function public.raise()");
  const SaveReply reply = save(*store_, {write("k1", 1), write("k2", 1), write("k3", 1)});
  EXPECT_EQ(reply.status, StoreStatus::unknown) << reply.message;
  EXPECT_EQ(load(*store_, "k1").entries.at(0)->version, version(1));
  EXPECT_EQ(save(*store_, write("k3", 1)).status, StoreStatus::unavailable) << "alone";
}

TEST_F(PostgresStore, update_of_clocks_alone_is_hot) {
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 200; ++i) {
    writes.push_back(write("k" + std::to_string(i), 1, "\"" + std::string(700, 'x') + "\""));
  }
  save(*store_, writes);
  constexpr int kRounds = 3;
  for (int round = 1; round <= kRounds; ++round) {
    for (StoreWrite& one : writes) {
      one.kind = StoreWrite::Kind::clocks;
      one.entry.clocks.last_fetch = WallTime(milliseconds(1'700'000'000'000 + round));
      one.entry.metadata = "{\"etag\": \"" + std::to_string(round) + "\"}";
    }
    for (const SaveResult& result : save(*store_, writes).results) {
      EXPECT_EQ(result.outcome, SaveOutcome::saved);
    }
  }
  store_.reset();  // its sessions report what they counted
  const std::string counted = "from pg_stat_user_tables where relname = 'cache_storage'";
  const std::string updates = std::to_string(kRounds * 200);
  // Statistics arrive a moment after the session that made them has ended.
  for (const SteadyTime deadline = patience();
       outsider_.ask("select n_tup_upd " + counted) != updates &&
       system_clock()->steady_now() < deadline;) {
  }
  EXPECT_EQ(outsider_.ask("select n_tup_upd " + counted), updates);
  EXPECT_EQ(outsider_.ask("select n_tup_hot_upd " + counted), updates);
  EXPECT_EQ(outsider_.ask("select count(*) from tiercache.cache_changes"), "200");
}

TEST_F(PostgresStore, large_documents_end_a_page_early) {
  const std::string large = "\"" + std::string(std::size_t{12} << 20, 'x') + "\"";
  for (int i = 0; i < 5; ++i) save(*store_, write("k" + std::to_string(i), 1, large));
  const ScanReply first = store_->scan("p", "d", "", 100, patience());
  EXPECT_EQ(first.entries.size(), 3u);
  const ScanReply second = store_->scan("p", "d", first.next, 100, patience());
  EXPECT_EQ(second.entries.size(), 2u);
  EXPECT_EQ(second.next, "");
}

TEST_F(PostgresStore, batches_that_meet_in_any_order_do_not_wait_for_each_other_in_a_circle) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const auto store = open(database_.url());
      for (std::uint64_t round = 1; round <= 30; ++round) {
        std::vector<StoreWrite> writes;
        for (unsigned i = 0; i < 20; ++i) {
          const unsigned key = t % 2 == 0 ? i : 19 - i;
          writes.push_back(write("k" + std::to_string(key), round * 4 + t));
        }
        const SaveReply reply = save(*store, writes);
        EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
        if (round % 10 == 0) {
          const auto erased =
              store->erase_matching("p", {"d", "k?", version(round * 4)}, patience());
          EXPECT_EQ(erased.status, StoreStatus::ok) << erased.message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(loaded_version(*store_, "k" + std::to_string(i)), version(30 * 4 + 3));
  }
}

TEST_F(PostgresStore, uses_no_more_connections_than_told) {
  const auto store = open({.url = database_.url(), .connections = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&store] {
      for (int i = 0; i < 20; ++i) EXPECT_EQ(load(*store, "k").status, StoreStatus::ok);
    });
  }
  for (std::thread& thread : threads) thread.join();
  // The fixture's own store has one more.
  EXPECT_LE(std::stoi(outsider_.ask("select count(*) from pg_stat_activity where "
                                    "application_name = 'tiercache' and datname = "
                                    "current_database()")),
            3);
}

}  // namespace
}  // namespace tiercache::postgres
