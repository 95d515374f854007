// The command line of a search: names with numbers, such as `--seed 7`.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

namespace tiercache::testing {

// False where the text is anything but a number.
inline bool parse_number(std::string_view text, std::uint64_t* out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// Options that may be given, with what stands where they are not.
class Arguments {
 public:
  explicit Arguments(std::map<std::string, std::uint64_t> defaults)
      : values_(std::move(defaults)) {}

  // False, having said why, when the line holds anything else.
  bool parse(int count, char** words) {
    for (int i = 1; i < count; i += 2) {
      const auto known = values_.find(words[i]);
      if (known == values_.end() || i + 1 == count || !parse_number(words[i + 1], &known->second)) {
        return usage(words[0]);
      }
    }
    return true;
  }
  std::uint64_t operator[](const std::string& name) const { return values_.at(name); }

 private:
  bool usage(const char* program) const {
    std::fprintf(stderr, "usage: %s", program);
    for (const auto& [name, value] : values_) {
      std::fprintf(stderr, " [%s N (%llu)]", name.c_str(), static_cast<unsigned long long>(value));
    }
    std::fputc('\n', stderr);
    return false;
  }

  std::map<std::string, std::uint64_t> values_;
};

}  // namespace tiercache::testing
