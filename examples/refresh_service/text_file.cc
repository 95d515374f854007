#include "refresh_service/text_file.h"

#include <fstream>
#include <iterator>

namespace refresh_service {

std::optional<std::string> read_text_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return std::nullopt;
  return text;
}

}  // namespace refresh_service
