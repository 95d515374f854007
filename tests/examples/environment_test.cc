// What the service takes from the environment, from a file of variables, and from --store.
#include "refresh_service/environment.h"

#include <gmock/gmock.h>

#include "refresh_service/env_file.h"

namespace refresh_service {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;
using Kind = StoreChoice::Kind;

std::string faults_of(const Variables& variables) {
  try {
    parse_environment(variables);
  } catch (const BadConfig& error) {
    return error.what();
  }
  return "(accepted)";
}

TEST(ServiceEnvironment, nothing_set_means_the_defaults) {
  for (const Variables& variables :
       {Variables{}, Variables{{"SUPABASE_ENABLED", ""}, {"CACHE_TTL_SECONDS", ""}}}) {
    const Environment environment = parse_environment(variables);
    EXPECT_FALSE(environment.store_enabled);
    EXPECT_EQ(environment.database_url, "");
    EXPECT_EQ(environment.memory_ttl, std::nullopt);
    EXPECT_EQ(environment.project, std::nullopt);
    EXPECT_TRUE(environment.flags.emergency_refresh && environment.flags.background_retry &&
                environment.flags.graceful_shutdown && environment.flags.store_enabled);
  }
}

TEST(ServiceEnvironment, every_variable_is_read) {
  const Environment environment = parse_environment({{"SUPABASE_ENABLED", "TRUE"},
                                                     {"DATABASE_URL", "postgresql://u:p@h/d"},
                                                     {"CACHE_TTL_SECONDS", "0"},
                                                     {"PROJECT_ID", "p-2"},
                                                     {"EMERGENCY_REFRESH", "No"},
                                                     {"BACKGROUND_RETRY", "0"},
                                                     {"GRACEFUL_SHUTDOWN", "off"}});
  EXPECT_TRUE(environment.store_enabled);
  EXPECT_EQ(environment.database_url, "postgresql://u:p@h/d");
  EXPECT_EQ(environment.memory_ttl, 0ms);
  EXPECT_EQ(environment.project, "p-2");
  EXPECT_FALSE(environment.flags.emergency_refresh || environment.flags.background_retry ||
               environment.flags.graceful_shutdown);
}

TEST(ServiceEnvironment, flags_are_words_in_letters_of_either_case) {
  for (const char* yes : {"true", "True", "TRUE", "1", "yes", "ON"}) {
    EXPECT_TRUE(parse_environment({{"SUPABASE_ENABLED", yes}}).store_enabled) << yes;
  }
  for (const char* no : {"false", "FALSE", "0", "No", "off"}) {
    EXPECT_FALSE(parse_environment({{"SUPABASE_ENABLED", no}}).store_enabled) << no;
  }
}

TEST(ServiceEnvironment, all_faults_are_named_with_what_is_allowed) {
  const std::string faults = faults_of({{"SUPABASE_ENABLED", "maybe"},
                                        {"DATABASE_URL", "mysql://u:secret@h/d"},
                                        {"CACHE_TTL_SECONDS", "5m"},
                                        {"PROJECT_ID", "a b"},
                                        {"EMERGENCY_REFRESH", "2"},
                                        {"BACKGROUND_RETRY", "tru"},
                                        {"GRACEFUL_SHUTDOWN", " true"}});
  EXPECT_THAT(faults, HasSubstr("SUPABASE_ENABLED = \"maybe\": must be true or false"));
  EXPECT_THAT(faults, AllOf(HasSubstr("DATABASE_URL = (not shown): must be postgres://"),
                            Not(HasSubstr("secret"))));
  EXPECT_THAT(faults, HasSubstr("CACHE_TTL_SECONDS = \"5m\": must be a whole number from 0 to"));
  EXPECT_THAT(faults, HasSubstr("PROJECT_ID = \"a b\": must be 1 to 100 of"));
  EXPECT_THAT(faults, HasSubstr("EMERGENCY_REFRESH = \"2\""));
  EXPECT_THAT(faults, HasSubstr("BACKGROUND_RETRY = \"tru\""));
  EXPECT_THAT(faults, HasSubstr("GRACEFUL_SHUTDOWN = \" true\""));
  for (const char* ttl : {"-1", "1.5", "31536001", "99999999999999999999", "5 "}) {
    EXPECT_NE(faults_of({{"CACHE_TTL_SECONDS", ttl}}), "(accepted)") << ttl;
  }
}

// --- Files of variables ---

TEST(EnvFiles, lines_are_read_as_shells_read_them) {
  const Variables variables = parse_env_file(
      "# comment\n\nA=1\n  export B = two words  # why\r\nC=\"x # y\" # z\nD='\"'\nE=\nF=a#b\nA=2");
  EXPECT_EQ(
      variables,
      (Variables{
          {"A", "2"}, {"B", "two words"}, {"C", "x # y"}, {"D", "\""}, {"E", ""}, {"F", "a#b"}}));
}

TEST(EnvFiles, line_that_is_none_is_named_by_its_number_alone) {
  for (const char* bad : {"A=1\nsecret", "\n=secret", "\nA B=secret", "\n1A=secret", "A=\n\"secret",
                          "\nA=\"secret", "\nA=\"secret\" x"}) {
    try {
      parse_env_file(bad);
      ADD_FAILURE() << bad;
    } catch (const BadConfig& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("line 2"), Not(HasSubstr("secret")))) << bad;
    }
  }
}

TEST(EnvFiles, example_of_the_repository_is_one_with_the_defaults) {
  const Variables example = read_env_file(TIERCACHE_SOURCE_DIR "/.env.example");
  EXPECT_EQ(example.size(), 7u);
  EXPECT_EQ(faults_of(example), "(accepted)");
  const Environment environment = parse_environment(example);
  EXPECT_FALSE(environment.store_enabled);
  EXPECT_EQ(environment.memory_ttl, tiercache::MemoryOptions{}.ttl);
  EXPECT_TRUE(environment.flags.emergency_refresh && environment.flags.background_retry &&
              environment.flags.graceful_shutdown);
}

TEST(EnvFiles, file_that_is_not_there_is_named) {
  EXPECT_THROW(read_env_file("/nowhere/.env"), BadConfig);
}

// --- The store ---

TEST(ServiceStores, are_written_in_three_forms) {
  EXPECT_EQ(parse_store("none")->kind, Kind::none);
  EXPECT_EQ(parse_store("sqlite:/s/x.db")->place, "/s/x.db");
  EXPECT_EQ(parse_store("postgres://u:p@h/d")->kind, Kind::postgres);
  EXPECT_EQ(parse_store("postgresql://h/d")->place, "postgresql://h/d");
  for (const char* bad : {"", "sqlite:", "sqlite:/s/", "postgres:x", "mysql://h/d", "None"}) {
    EXPECT_EQ(parse_store(bad).has_value(), false) << bad;
  }
}

TEST(ServiceStores, one_that_is_built_is_opened_and_another_is_explained) {
  EXPECT_EQ(open_store({}), nullptr);
  EXPECT_NE(open_store({Kind::sqlite, "/s/x.db"}), nullptr);
#ifdef TIERCACHE_WITH_POSTGRES
  EXPECT_NE(open_store({Kind::postgres, "postgres://u:p@127.0.0.1:1/d"}), nullptr);
#else
  EXPECT_THROW(open_store({Kind::postgres, "postgres://u:p@127.0.0.1:1/d"}), BadConfig);
#endif
}

TEST(ServiceStores, flag_goes_before_environment_before_configuration) {
  const StoreChoice of_file{Kind::sqlite, "/file.db"};
  const Environment away;
  Environment on;
  on.store_enabled = true;
  on.database_url = "postgres://h/d";
  const auto chosen = [&](const Environment& environment, std::optional<StoreChoice> flag) {
    Config config;
    config.store = of_file;
    apply(environment, flag, config);
    EXPECT_EQ(config.store_off_why, "");
    return config.store.place;
  };
  EXPECT_EQ(chosen(away, {}), "/file.db");
  EXPECT_EQ(chosen(on, {}), "postgres://h/d");
  EXPECT_EQ(chosen(on, StoreChoice{Kind::sqlite, "/flag.db"}), "/flag.db");
  EXPECT_EQ(chosen(on, StoreChoice{}), "");
}

TEST(ServiceStores, database_url_without_the_flag_is_not_used) {
  Config config;
  Environment environment;
  environment.database_url = "postgres://h/d";
  apply(environment, {}, config);
  EXPECT_EQ(config.store.kind, Kind::none);
  EXPECT_EQ(config.store_off_why, "");
}

TEST(ServiceStores, flag_without_credentials_turns_the_store_off_and_says_why) {
  Config config;
  config.store = {Kind::sqlite, "/file.db"};
  Environment environment;
  environment.store_enabled = true;
  apply(environment, {}, config);
  EXPECT_EQ(config.store.kind, Kind::none);
  EXPECT_THAT(config.store_off_why, HasSubstr("DATABASE_URL is not set"));
}

TEST(ServiceEnvironment, goes_before_the_configuration) {
  Config config;
  config.project = "file";
  Environment environment;
  environment.project = "variable";
  environment.memory_ttl = 7s;
  environment.flags.background_retry = false;
  apply(environment, {}, config);
  EXPECT_EQ(config.project, "variable");
  EXPECT_EQ(config.memory.ttl, 7s);
  EXPECT_FALSE(config.flags.background_retry);
}

}  // namespace
}  // namespace refresh_service
