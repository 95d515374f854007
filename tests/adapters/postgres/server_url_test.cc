// URLs that are read, those that are refused, and that none of them is shown.
#include "server_url.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server_address.h"
#include "tiercache/error.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {
namespace {

// Why it is refused; "" when it is not.
std::string refusal(const std::string& url) {
  try {
    open(url);
    return "";
  } catch (const BadConfiguration& error) {
    return error.what();
  }
}

TEST(ServerUrl, password_with_special_characters_that_are_not_escaped_is_refused_unseen_I11) {
  for (const char* url : {
           "postgres://app:some/passW0rd@127.0.0.1:5432/db",
           "postgresql://app:some/passW0rd@127.0.0.1:5432/db",
           "postgres://app:pa@ssW0rd@127.0.0.1:5432/db",
           "postgres://app:123/ssW0rd@127.0.0.1:5432/db",
           "postgres://app:/ssW0rd@127.0.0.1/db",
           "postgres://app:1/a@ssW0rd@127.0.0.1/db",
           "postgres://app:pa/s?ssW0rd@127.0.0.1/db",
           "postgres://app:12/s?ssW0rd=a@127.0.0.1/db",
           "postgres://app:pa@ss/x?ssW0rd=1@host/db",
           "postgres://app@azure:ssW0rd@127.0.0.1/db",
           "postgres://ssW0rd/x@host/db",
           "postgres://app:100%ssW0rd@host/db",
           "postgres://app:a@host:ssW0rd:5432/db",
           "postgres://app:a@host:5432,other:ssW0rd/db",
           "postgres://app%3AssW0rd%40host/db",
           "postgres://app:a%2FssW0rd%40host:1/db?host=x%40ssW0rd",
           "host=app:ssW0rd@127.0.0.1 dbname=db",
           "host=a port=ssW0rd",
           "host=a port=99999 password=ssW0rd",
           "host=a dbname=postgres://app:ssW0rd@host/db",
           "host=a dbname='password=ssW0rd'",
           "host=a password=pa ssW0rd",
           "host=a password=pa ssW0rd=1",
       }) {
    const std::string why = refusal(url);
    EXPECT_NE(why, "") << url;
    EXPECT_EQ(why.find("ssW0rd"), std::string::npos) << why;
    EXPECT_EQ(why.find("127.0.0.1"), std::string::npos) << why;
  }
}

TEST(ServerUrl, right_ones_are_read) {
  for (const char* url : {
           "postgres://app:pa%40ss%2FW0rd%3A@127.0.0.1:5432/db",
           "postgres://app:pa:ss?w#rd@host/db",
           "postgres://app@[::1]:5432/db",
           "postgres://app@[fe80::1%25eth0]/db",
           "postgres://app:a@one:1,two:2,[::1]:3/db?target_session_attrs=read-write",
           "postgres://one,two/db",
           "postgres://app@%2Fvar%2Frun%2Fpostgresql/db",
           "postgres:///db?host=/cloudsql/project:region:instance&user=app&password=p@ss",
           "postgres://host/db?user=app%40azure&password=x",
           "postgres://app:x@host:5432/db%40x?sslmode=require&application_name=a%20b",
           "postgres://",
           "postgres://app:x@host/db?ssl=true",
           "host=::1 port=5432 dbname=db password='p@s/s:w'",
           "host=/tmp dbname=db",
           "host=@abstract",
           "service=other",
           "dbname=db",
       }) {
    EXPECT_EQ(refusal(url), "") << url;
  }
}

TEST(ServerUrl, pgbouncer_is_taken_and_not_handed_on) {
  for (const char* url : {"postgres://app:x@host:6543/db?pgbouncer=true",
                          "postgres://app:x@host/db?pgbouncer=true&sslmode=require",
                          "postgres://app:x@host/db?sslmode=require&pgbouncer=true"}) {
    const ServerUrl read = read_url(url);
    EXPECT_TRUE(read.behind_pooler);
    EXPECT_EQ(read.settings.at("dbname"), "db");
    EXPECT_EQ(read.settings.count("sslmode"),
              std::string(url).find("sslmode") != std::string::npos);
  }
  EXPECT_FALSE(read_url("postgres://host/db?pgbouncer=false").behind_pooler);
  EXPECT_THROW(open({.url = "postgres://host/db?pgbouncer=true", .prepared = true}),
               BadConfiguration);
}

TEST(ServerUrl, unknown_parameters_are_named_and_their_values_are_not_I11) {
  const std::string why =
      refusal("postgres://app:x@host/db?schema=ssW0rd&sslmode=require&connection_limit=ssW0rd");
  EXPECT_NE(why.find("schema, connection_limit"), std::string::npos) << why;
  EXPECT_EQ(why.find("ssW0rd"), std::string::npos) << why;
}

TEST(ServerUrl, hint_at_the_schema_is_given_where_a_schema_was_asked_for) {
  EXPECT_NE(refusal("postgres://host/db?schema=x").find("always in the schema tiercache"),
            std::string::npos);
  const std::string why = refusal("postgres://host/db?connection_limit=1");
  EXPECT_EQ(why.find("schema"), std::string::npos) << why;
  EXPECT_NE(why.find("connection_limit, leave it out"), std::string::npos) << why;
}

TEST(ServerUrl, values_that_libpq_refuses_when_it_connects_are_refused_at_open_unseen_I11) {
  for (const auto& [url, named] : std::vector<std::pair<std::string, std::string>>{
           {"postgres://host/db?sslmode=ssW0rd",
            "sslmode has a value that is not allowed; it takes disable, allow, prefer, require, "
            "verify-ca, verify-full"},
           {"host=a sslmode=ssW0rd", "sslmode has a value"},
           {"postgres://host/db?pgbouncer=ssW0rd",
            "pgbouncer has a value that is not allowed; it "
            "takes true, false, 1, 0"},
           {"postgres://host/db?pgbouncer", "pgbouncer has a value"},
           {"postgres://host/db?pgbouncer=", "pgbouncer has a value"},
           {"postgres://host/db?target_session_attrs=ssW0rd", "any, read-write"},
           {"postgres://host/db?channel_binding=ssW0rd", "disable, prefer, require"},
           {"postgres://host/db?gssencmode=ssW0rd", "disable, prefer, require"},
           {"postgres://host/db?connect_timeout=ssW0rd", "a whole number"},
           {"postgres://host/db?keepalives_idle=1s", "a whole number"},
       }) {
    const std::string why = refusal(url);
    EXPECT_NE(why.find(named), std::string::npos) << url << '\n' << why;
    EXPECT_EQ(why.find("ssW0rd"), std::string::npos) << why;
  }
  for (const char* url : {"postgres://host/db?sslmode=verify-full&connect_timeout=3",
                          "postgres://host/db?pgbouncer=1", "postgres://host/db?sslmode="}) {
    EXPECT_EQ(refusal(url), "") << url;
  }
}

TEST(ServerUrl, white_space_around_it_is_left_out_and_none_of_it_is_taken_within) {
  for (const char* url : {"postgres://app:x@host/db\n", " postgres://app:x@host/db",
                          "\r\n\tpostgres://app:x@host/db \r\n", "host=host dbname=db user=app\n",
                          "\nuser=app host=host dbname=db "}) {
    EXPECT_EQ(open(url)->describe(), "postgres host/db as app") << url;
  }
  EXPECT_NE(refusal("postgres://app:ssW0rd@host/db\n?sslmode=require").find("a line break"),
            std::string::npos);
  EXPECT_NE(refusal(" \n"), "");
}

TEST(ServerUrl, each_host_is_described_with_its_port) {
  for (const auto& [url, description] : std::vector<std::pair<std::string, std::string>>{
           {"postgres://app@one:1,two:2,[::1]:3/db", "postgres one:1,two:2,[::1]:3/db as app"},
           {"postgres://app@one,two/db", "postgres one,two/db as app"},
           {"host=one,two port=5433 dbname=db", "postgres one:5433,two:5433/db"},
           {"postgres://app@[::1]:5432/db", "postgres [::1]:5432/db as app"},
           {"host=/tmp port=5433 dbname=db", "postgres /tmp:5433/db"},
           {"user=app", "postgres the default host as app"},
           {"dbname=db", "postgres the default host/db"},
           {"postgres://", "postgres by libpq's environment"},
       }) {
    EXPECT_EQ(open(url)->describe(), description) << url;
  }
}

TEST(ServerUrl, what_libpq_says_becomes_one_line_without_margins) {
  const ServerAddress address({.url = "postgres://app:ssW0rd@one,two/db"});
  EXPECT_EQ(address.redacted("\n connection to one failed\n\tIs ssW0rd right?\n"),
            "connection to one failed Is *** right?");
}

TEST(ServerUrl, user_that_holds_the_password_is_not_described_I11) {
  EXPECT_EQ(open("postgres://app%3AssW0rd@host/db")->describe(), "postgres host/db as app");
}

}  // namespace
}  // namespace tiercache::postgres
