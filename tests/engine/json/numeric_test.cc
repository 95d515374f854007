#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "json/scan.h"

namespace tiercache {
namespace {

// Digits before and after the point, counted the long way: by writing the number out.
struct Written {
  std::size_t before = 0;  // digits, without leading zeros
  std::size_t after = 0;

  bool fits() const { return before <= 131'072 && after <= 16'383; }
  std::size_t bytes() const {
    return std::max<std::size_t>(before, 1) + (after > 0 ? 1 + after : 0);
  }
};

Written reference(const std::string& whole, const std::string& decimals, int exponent) {
  const std::size_t shift = static_cast<std::size_t>(std::abs(exponent));
  const std::string zeros(shift, '0');
  std::string before = whole;
  std::string after = decimals;
  if (exponent > 0) {
    const std::string moved = (after + zeros).substr(0, shift);
    before += moved;
    after = after.size() > shift ? after.substr(shift) : "";
  } else {
    before = zeros + before;
    after = before.substr(before.size() - shift) + after;
    before.resize(before.size() - shift);
  }
  const auto first = before.find_first_not_of('0');
  const std::size_t digits_before = first == std::string::npos ? 0 : before.size() - first;
  return {digits_before, after.size()};
}

TEST(FitsNumeric, agrees_with_writing_the_number_out) {
  const std::string wholes[] = {"0", "1", "12345", std::string(100, '7')};
  const std::string decimals[] = {"", "0", "5", "000", "0001", "12000", std::string(60, '3')};
  for (const auto& whole : wholes) {
    for (const auto& decimal : decimals) {
      for (int edge : {-16'383, 0}) {
        for (int exponent = edge - 70; exponent <= edge + 70; ++exponent) {
          const std::string text =
              whole + (decimal.empty() ? "" : "." + decimal) + "e" + std::to_string(exponent);
          const Written written = reference(whole, decimal, exponent);
          ASSERT_EQ(fits_numeric(text), written.fits()) << text;
          ASSERT_EQ(bytes_written_out(text), written.bytes()) << text;
          ASSERT_EQ(bytes_written_out("-" + text), written.bytes() + 1) << text;
        }
      }
    }
  }
}

TEST(FitsNumeric, upper_edge_depends_on_the_first_digit_that_counts) {
  for (const auto& [text, power] : {std::pair<std::string, int>{"1", 131'071},
                                    {"12345", 131'067},
                                    {"0.1", 131'072},
                                    {"0.001", 131'074},
                                    {"10.0", 131'070},
                                    {"0.0010", 131'074},
                                    {"-7.5", 131'071}}) {
    EXPECT_TRUE(fits_numeric(text + "e" + std::to_string(power))) << text;
    EXPECT_TRUE(fits_numeric(text + "E+" + std::to_string(power))) << text;
    EXPECT_FALSE(fits_numeric(text + "e" + std::to_string(power + 1))) << text;
  }
}

TEST(BytesWrittenOut, exponent_beyond_all_bounds_never_makes_a_number_short) {
  for (const char* exponent : {"1073741824", "99999999999", "9223372036854775806",
                               "9223372036854775807", "9999999999999999999999"}) {
    EXPECT_GT(bytes_written_out(std::string("1e") + exponent), 1'000'000'000u) << exponent;
    EXPECT_GT(bytes_written_out(std::string("1e-") + exponent), 1'000'000'000u) << exponent;
    EXPECT_FALSE(fits_numeric(std::string("0e") + exponent)) << exponent;
    EXPECT_FALSE(fits_numeric(std::string("0e-") + exponent)) << exponent;
  }
}

}  // namespace
}  // namespace tiercache
