#include "refresh_service/sources.h"

#include <variant>

#include "refresh_service/folder_source.h"
#include "refresh_service/http_source.h"

namespace refresh_service {

Source make_source(const DatasetConfig& dataset) {
  if (const auto* folder = std::get_if<FolderSource>(&dataset.source)) {
    return [source = *folder](const tiercache::RefreshContext& context) {
      return read_folder(source, context);
    };
  }
  if (const auto* http = std::get_if<HttpSource>(&dataset.source)) {
    return ask_http(*http);
  }
  return {};
}

}  // namespace refresh_service
