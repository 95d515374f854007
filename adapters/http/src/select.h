// A part of a JSON document, named by a JSON pointer (RFC 6901).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::http {

// Thread-safe.
class JsonPointer {
 public:
  // Throws std::invalid_argument if the text is not a pointer. The empty pointer names the whole
  // document.
  explicit JsonPointer(std::string_view text);

  bool names_all() const { return tokens_.empty(); }
  // The bytes of the part as they stand in the document; nullopt if there is no such part. Throws
  // std::runtime_error if what is around the part is not well-formed, or names a selected member
  // twice. The part itself is not looked into.
  std::optional<std::string> find_in(std::string_view document) const;

 private:
  std::vector<std::string> tokens_;
};

}  // namespace tiercache::http
