// What the cache takes at the call, Postgres stores: odd writes of all kinds, none of which is
// parked; and what comes back is the same value.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "adapters/postgres/machine.h"
#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Odd texts, mostly such as the rules know, some just beyond them.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool once_in(std::size_t times) { return below(times) == 0; }

  // Any character, where it is told so NUL and halves of pairs too.
  std::string character(bool bad = false) {
    constexpr std::uint32_t kEdges[] = {0x1,    0x1f,   0x20,   0x22,   0x25,    0x27,    0x5c,
                                        0x5f,   0x7f,   0x80,   0x7ff,  0x800,   0xd7ff,  0xe000,
                                        0xfeff, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x1ffff, 0x10ffff};
    if (bad && once_in(20)) return once_in(2) ? std::string(1, '\0') : std::string("\xed\xa0\x80");
    const std::uint32_t code = once_in(2) ? kEdges[below(std::size(kEdges))]
                                          : 0x20 + static_cast<std::uint32_t>(below(0xd000));
    return utf8(code);
  }
  // Half of them are such as nothing compresses, the others of few characters.
  std::string key() {
    constexpr std::size_t kSizes[] = {1,     3,     20,    600,   2'000, 2'590,
                                      2'596, 2'597, 2'599, 2'700, 4'000};
    const std::size_t size = kSizes[below(std::size(kSizes))];
    const bool bad = once_in(8);
    const bool dense = once_in(2);
    std::string key;
    while (key.size() < size) {
      key += dense ? utf8(0x800 + static_cast<std::uint32_t>(below(0xd000 - 0x800)))
                   : character(bad && key.size() < 20);
    }
    return key;
  }
  std::string number() {
    const std::size_t digits = once_in(10) ? below(3'000) : below(20);
    std::string text = once_in(3) ? "-" : "";
    text += once_in(2) ? std::string("0") : std::to_string(1 + below(99'999'999));
    if (once_in(2)) text += '.' + std::string(below(4), '0') + std::string(digits, '7') + '0';
    if (once_in(2)) text += exponent();
    return text;
  }
  // A string as JSON writes it, with escapes of all kinds.
  std::string string() {
    constexpr const char* kEscapes[] = {
        "\\n",     "\\\"",           "\\\\",           "\\/",    "\\b", "\\u001f", "\\u007f",
        "\\uffff", "\\ud800\\udc00", "\\udbff\\udfff", "\\u0041"};
    std::string text = "\"";
    for (std::size_t i = below(6); i > 0; --i) {
      if (once_in(3)) {
        text += kEscapes[below(std::size(kEscapes))];
      } else {
        const std::string c = character();
        text += c[0] < 0x20 && c.size() == 1 ? "" : c == "\"" || c == "\\" ? '\\' + c : c;
      }
    }
    if (once_in(40)) text += once_in(2) ? "\\u0000" : "\\ud800";
    return text + '"';
  }
  std::string document(int depth = 0) {
    if (depth == 0 && once_in(30)) return std::string(255, '[') + number() + std::string(255, ']');
    switch (below(depth > 4 ? 3 : 6)) {
      case 0:
        return string();
      case 1:
      case 2:
        return number();
      case 3:
        return once_in(2) ? "null" : "true";
      case 4: {
        std::string text = "[";
        for (std::size_t i = below(6); i > 0; --i)
          text += document(depth + 1) + (i > 1 ? " ,\n" : "");
        return text + "]";
      }
      default: {
        std::string text = "{";
        for (std::size_t i = below(4); i > 0; --i) {
          text += string() + ":" + document(depth + 1) + (i > 1 ? "," : "");
        }
        return text + "}";
      }
    }
  }
  std::string metadata() { return once_in(2) ? "{}" : "{" + string() + ":" + document(3) + "}"; }
  std::optional<std::chrono::milliseconds> lifetime() {
    const std::chrono::milliseconds some[] = {0ms, -1ms, 1h, std::chrono::milliseconds::min(),
                                              std::chrono::milliseconds::max()};
    if (once_in(2)) return std::nullopt;
    return some[below(std::size(some))];
  }
  std::string glob() {
    constexpr const char* kParts[] = {"*", "?", "\\", "\\*", "%", "_", "**", "\xff", "é", "x"};
    std::string glob = "no such key ";
    for (std::size_t i = below(6); i > 0; --i) glob += kParts[below(std::size(kParts))];
    return glob;
  }

 private:
  static std::string utf8(std::uint32_t code) {
    std::string out;
    const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xc0 | code >> 6);
      add(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      add(0xe0 | code >> 12);
      add(0x80 | (code >> 6 & 0x3f));
      add(0x80 | (code & 0x3f));
    } else {
      add(0xf0 | code >> 18);
      add(0x80 | (code >> 12 & 0x3f));
      add(0x80 | (code >> 6 & 0x3f));
      add(0x80 | (code & 0x3f));
    }
    return out;
  }
  std::string exponent() {
    const int edges[] = {0, 5, 20, 308, 400, 16'370, 16'384, 131'060, 131'073, 1'073'741'823};
    std::string text = once_in(2) ? "e" : "E";
    if (once_in(2)) text += once_in(2) ? "-" : "+";
    return text + std::to_string(edges[below(once_in(4) ? std::size(edges) : 5)] +
                                 static_cast<int>(below(8)));
  }

  std::mt19937 random_;
};

// Numbers by what they are worth; beyond a double's reach by nothing.
std::optional<json> value_of(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

TEST(Accepted, odd_writes_are_stored_and_none_is_parked_I1) {
  const ScratchDatabase database;
  const auto store = open({.url = database.url(), .apply_migrations = true});
  const auto adjust = [](CacheOptions& options) {
    options.limits.max_key_bytes = 4'096;
    options.limits.max_document_bytes = 200'000;
  };
  Machine machine(store, adjust);
  Dice dice(20'261'130);
  std::map<std::string, std::string> written, with;
  std::size_t refused = 0;
  for (int i = 0; i < 3'000; ++i) {
    const std::string key = dice.key();
    const std::string document = dice.document();
    const std::string metadata = dice.metadata();
    try {
      machine.data().put(key, document, {.fresh_for = dice.lifetime(), .metadata = metadata});
      written[key] = document;
      with[key] = metadata;
      if (dice.once_in(10)) machine.data().invalidate(key);
      if (dice.once_in(50)) machine.data().erase_matching(dice.glob());
    } catch (const InvalidKey&) {
      ++refused;
    } catch (const InvalidDocument&) {
      ++refused;
    }
  }
  EXPECT_GT(written.size(), 1'000u);
  EXPECT_GT(refused, 300u);
  EXPECT_TRUE(machine.cache().flush(2min));
  for (const OutboxWrite& write : machine.cache().outbox().list({}).writes) {
    ADD_FAILURE() << "parked: " << write.why << " " << written[write.id.key].substr(0, 200)
                  << " with " << with[write.id.key].substr(0, 200);
  }
  EXPECT_EQ(machine.cache().stats().outbox_depth, 0u);

  Machine other(store, adjust);
  for (const auto& [key, document] : written) {
    const auto found =
        other.data().get(key, {.deadline = 30s, .max_stale = std::chrono::hours(24)});
    ASSERT_TRUE(found) << found.passage().to_string() << " " << document.substr(0, 200);
    EXPECT_EQ(value_of(*found), value_of(document)) << document.substr(0, 200);
  }
  EXPECT_TRUE(other.cache().flush(2min));
  EXPECT_EQ(other.cache().stats().files_quarantined, 0u);
}

TEST(Accepted, few_bytes_of_many_digits_are_refused_at_the_call) {
  const ScratchDatabase database;
  Machine machine(open({.url = database.url(), .apply_migrations = true}));
  std::string document = "[1e131071";
  for (int i = 1; i < 200; ++i) document += ",1e131071";
  EXPECT_THROW(machine.data().put("k", document + "]"), InvalidDocument);
  EXPECT_EQ(machine.cache().stats().outbox_depth, 0u);
}

TEST(Accepted, sign_of_minus_zero_and_the_form_of_a_number_are_what_jsonb_does_not_keep) {
  const ScratchDatabase database;
  const auto store = open({.url = database.url(), .apply_migrations = true});
  Machine machine(store);
  machine.data().put("k", "[-0, -0.0, 1e2, 1.50, 1E-3, 0.10]");
  EXPECT_TRUE(machine.cache().flush(1min));
  EXPECT_EQ(machine.local("k"), "[-0, -0.0, 1e2, 1.50, 1E-3, 0.10]") << "here byte for byte";
  Machine other(store);
  EXPECT_EQ(*other.data().get("k"), "[0, 0.0, 100, 1.50, 0.001, 0.10]");
}

// JSONB writes a blank behind each comma: the text of a document within the limits is larger than
// they are.
TEST(Accepted, document_at_the_limit_comes_into_the_files_of_another_machine) {
  const ScratchDatabase database;
  const auto store = open({.url = database.url(), .apply_migrations = true});
  constexpr std::size_t kLimit = 1 << 20;
  const auto adjust = [](CacheOptions& options) { options.limits.max_document_bytes = kLimit; };
  std::string document = "[1";
  while (document.size() < kLimit - 2) document += ",1";
  document += "]";
  Machine machine(store, adjust);
  machine.data().put("k", document);
  EXPECT_TRUE(machine.cache().flush(1min));
  Machine other(store, adjust);
  EXPECT_TRUE(other.data().get("k", {.deadline = 30s}));
  EXPECT_TRUE(other.comes_true([&] { return other.cache().stats().files_entries == 1; }));
  EXPECT_TRUE(other.cache().health().files.working) << other.cache().health().files.why;
}

}  // namespace
}  // namespace tiercache::postgres
