// Keeps the characters of a key inside its node, so that a hit touches no other memory for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace tiercache {

// The characters of a key that is too long to stand in its node.
using KeyBlock = std::unique_ptr<char[]>;

// True when both have the same bytes. Inline, because a call to memcmp would cost as much again as
// the comparison.
inline bool same_bytes(const char* a, const char* b, std::size_t size) {
  if (size < sizeof(std::uint64_t)) {
    for (std::size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  if (size > 64) return std::memcmp(a, b, size) == 0;
  const auto word = [](const char* from) {
    std::uint64_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
  };
  // Whole words are compared; the last one may overlap the one before it.
  for (std::size_t i = 0; i + sizeof(std::uint64_t) < size; i += sizeof(std::uint64_t)) {
    if (word(a + i) != word(b + i)) return false;
  }
  return word(a + size - sizeof(std::uint64_t)) == word(b + size - sizeof(std::uint64_t));
}

// Owns one key: up to `kInline` bytes in place, a longer one in a block of its own. Can be neither
// copied nor moved.
class NodeKey {
 public:
  static constexpr std::size_t kInline = 32;

  NodeKey() = default;
  ~NodeKey() { release_block(); }
  NodeKey(const NodeKey&) = delete;
  NodeKey& operator=(const NodeKey&) = delete;

  static bool needs_block(std::string_view key) { return key.size() > kInline; }
  // Called outside the lock, for an `assign` under it.
  static KeyBlock make_block(std::string_view key) {
    auto block = std::make_unique_for_overwrite<char[]>(key.size());
    std::memcpy(block.get(), key.data(), key.size());
    return block;
  }

  // The key must be empty before. `block` is `make_block(key)` if `needs_block(key)`, else null.
  void assign(std::string_view key, KeyBlock block) {
    size_ = static_cast<std::uint32_t>(key.size());
    if (char* chars = block.release()) {
      std::memcpy(bytes_.data(), &chars, sizeof chars);
    } else {
      key.copy(bytes_.data(), key.size());
    }
  }
  // Becomes the empty key and hands out the block, if there is one, so that it can be freed outside
  // the lock.
  KeyBlock release_block() {
    KeyBlock block(size_ > kInline ? long_chars() : nullptr);
    size_ = 0;
    return block;
  }

  std::string_view view() const { return {size_ > kInline ? long_chars() : bytes_.data(), size_}; }
  bool equals(std::string_view key) const {
    return key.size() == size_ && same_bytes(view().data(), key.data(), size_);
  }

 private:
  char* long_chars() const {
    char* chars;
    std::memcpy(&chars, bytes_.data(), sizeof chars);
    return chars;
  }

  std::uint32_t size_ = 0;
  std::array<char, kInline> bytes_;  // the key, or the address of its block
};

}  // namespace tiercache
