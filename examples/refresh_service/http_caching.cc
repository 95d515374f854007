#include "refresh_service/http_caching.h"

#include <chrono>

namespace refresh_service {

namespace {

std::string etag_of(const tiercache::Snapshot<tiercache::JsonText>& snapshot) {
  return '"' + snapshot.checksum().to_string() + '"';
}

long whole_seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

std::string cache_control_of(const DatasetConfig& config) {
  const auto unscheduled = config.every.count() > 0 ? config.every : tiercache::ttl::kMedium;
  const std::string stale = std::to_string(whole_seconds(config.stale_for));
  return "max-age=" + std::to_string(whole_seconds(config.fresh_for.value_or(unscheduled))) +
         ", stale-while-revalidate=" + stale + ", stale-if-error=" + stale;
}

void set_headers(const tiercache::Snapshot<tiercache::JsonText>& snapshot,
                 const std::string& cache_control, httplib::Response& response) {
  response.set_header("ETag", etag_of(snapshot));
  response.set_header("Age", std::to_string(whole_seconds(snapshot.age())));
  response.set_header("Cache-Control", cache_control);
  response.set_header("X-Tiercache-Tier", std::string(to_string(snapshot.tier())));
  response.set_header("X-Tiercache-Freshness", std::string(to_string(snapshot.freshness())));
  response.set_header("X-Tiercache-Version", snapshot.version().to_string());
}

// The condition is "*" or a list of tags, which are compared weakly.
bool client_has_it(const httplib::Request& request,
                   const tiercache::Snapshot<tiercache::JsonText>& snapshot) {
  const std::string condition = request.get_header_value("If-None-Match");
  return condition == "*" || condition.find(etag_of(snapshot)) != std::string::npos;
}

}  // namespace refresh_service
