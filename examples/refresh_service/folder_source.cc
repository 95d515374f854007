#include "refresh_service/folder_source.h"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

#include "refresh_service/text_file.h"
#include "tiercache/entry.h"

namespace refresh_service {

namespace {

// A key is a file's name, never a path.
bool is_file_name(const std::string& key) {
  return !key.empty() && key.front() != '.' && key.find('/') == std::string::npos &&
         key.find('\0') == std::string::npos;
}

// The entry that the cache has is this very text.
bool is_known(const tiercache::RefreshContext& context, const std::string& text) {
  const auto& previous = context.previous();
  return previous && previous->checksum == tiercache::Checksum::of(text);
}

}  // namespace

tiercache::RefreshAnswer<std::string> read_folder(const FolderSource& source,
                                                  const tiercache::RefreshContext& context) {
  const std::string& name = context.key().empty() ? context.dataset() : context.key();
  const std::filesystem::path file = source.path / (name + ".json");
  if (!std::filesystem::is_directory(source.path)) {
    throw std::runtime_error("the folder " + source.path.string() + " is not there");
  }
  if (!is_file_name(name) || !std::filesystem::exists(file)) return tiercache::NotFound{};
  auto text = read_text_file(file);
  if (!text) throw std::runtime_error(file.string() + " cannot be read");
  if (is_known(context, *text)) return tiercache::NotModified{};
  return std::move(*text);
}

}  // namespace refresh_service
