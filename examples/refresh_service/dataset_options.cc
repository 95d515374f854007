#include "refresh_service/dataset_options.h"

#include "refresh_service/document_checks.h"
#include "refresh_service/sources.h"

namespace refresh_service {

tiercache::DatasetOptions<tiercache::JsonText> dataset_options(const DatasetConfig& config) {
  return {.keyed = config.keyed,
          .refresh_every = config.every,
          .fresh_for = config.fresh_for,
          .stale_for = config.stale_for,
          .hydrate = config.hydrate,
          .refresh = make_source(config),
          .validate = make_validate(config.checks)};
}

}  // namespace refresh_service
