// Any bytes as a document: the fast check, the exact scan and another parser must agree on them.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "expect.h"
#include "json/document.h"
#include "json/scan.h"

namespace tiercache {
namespace {

// What another parser makes of the text.
class OtherOpinion : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit OtherOpinion(std::string_view text) {
    accepted_ = nlohmann::json::sax_parse(text, this);
  }

  bool accepted() const { return accepted_; }
  bool has_duplicates() const { return has_duplicates_; }
  // It stopped at a number that it cannot hold, and knows nothing of the rest.
  bool gave_up() const { return gave_up_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    names_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    if (!names_.back().insert(name).second) has_duplicates_ = true;
    return true;
  }
  bool end_object() override {
    names_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    gave_up_ = error.id == kNumberOverflow;
    return false;
  }

 private:
  std::vector<std::set<std::string>> names_;
  bool accepted_ = false;
  bool has_duplicates_ = false;
  bool gave_up_ = false;
};

bool accepts(std::string_view text, const DocumentRules& rules) {
  const auto fault = check_document(text, rules);
  const auto exact = scan_document(text, rules);
  TIERCACHE_FUZZ_EXPECT(fault.has_value() == exact.has_value());
  if (fault) {
    TIERCACHE_FUZZ_EXPECT(!fault->why.empty());
    TIERCACHE_FUZZ_EXPECT(fault->offset <= text.size());
    TIERCACHE_FUZZ_EXPECT(fault->column <= fault->offset + 1);
  }
  return !fault;
}

void check(std::string_view text) {
  const bool accepted = accepts(text, {});
  const bool strictly = accepts(text, {16 << 20, 256, true, true});
  const bool tightly = accepts(text, {64, 3, false, false});
  const bool written_out = accepts(text, {16 << 20, 256, true, true, true});
  // Just above what there is: the bounds of the fast check are what decides.
  accepts(text, {text.size() + 8, 256, false, false, true});
  TIERCACHE_FUZZ_EXPECT(accepted || (!strictly && !tightly && !written_out));
  TIERCACHE_FUZZ_EXPECT(strictly || !written_out);

  const OtherOpinion other(text);
  if (other.gave_up()) return;
  if (accepted) {
    TIERCACHE_FUZZ_EXPECT(other.accepted() && !other.has_duplicates());
  } else if (other.accepted() && !other.has_duplicates()) {
    // It takes a NUL byte for the end, passes over a byte order mark and nests without a limit.
    TIERCACHE_FUZZ_EXPECT(text.find('\0') != text.npos || text.starts_with("\xEF\xBB\xBF") ||
                          check_document(text, {})->why.starts_with("nested"));
  }
}

}  // namespace
}  // namespace tiercache

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercache::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
