// An entry file as a later library writes it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/hex.h"

namespace tiercache::testing {

// The bytes of a file of this library's format become those of one of format 2, whose header holds
// its checksum too.
inline std::string of_newer_format(std::string bytes) {
  const std::string_view start = "{\"tiercache\":1";
  EXPECT_TRUE(bytes.starts_with(start));
  bytes[start.size() - 1] = '2';
  const std::string_view member = ",\"header_checksum\":\"";
  const std::size_t at = bytes.find(member);
  std::string digits;
  append_hex64(hash64(std::string_view(bytes).substr(0, at)), &digits);
  return bytes.replace(at + member.size(), digits.size(), digits);
}

}  // namespace tiercache::testing
