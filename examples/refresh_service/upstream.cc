#include "refresh_service/upstream.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "refresh_service/text_file.h"
#include "tiercache/entry.h"

namespace refresh_service {

Upstream::Upstream(std::filesystem::path folder) : folder_(std::move(folder)) {
  httplib::Server& routes = server_.routes();
  routes.Get("/_calls", [this](const auto&, auto& response) { tell_calls(response); });
  routes.Post("/_fail",
              [this](const auto& request, auto& response) { set_failure(request, response); });
  routes.Post("/_heal", [this](const auto&, auto& response) { set_failure({}, response); });
  routes.Get("/([^/]+)", [this](const auto& request, auto& response) { serve(request, response); });
}

void Upstream::serve(const httplib::Request& request, httplib::Response& response) {
  if (!counts_and_fails(request, response)) send_file(request, response);
}

bool Upstream::counts_and_fails(const httplib::Request& request, httplib::Response& response) {
  std::lock_guard lock(mutex_);
  ++calls_[request.target];
  if (failing_status_ == 0) return false;
  response.status = failing_status_;
  if (!retry_after_.empty()) response.set_header("Retry-After", retry_after_);
  return true;
}

void Upstream::send_file(const httplib::Request& request, httplib::Response& response) const {
  const std::string name = request.matches[1];
  const bool is_served = name.front() != '.' && std::filesystem::is_regular_file(folder_ / name);
  auto text = is_served ? read_text_file(folder_ / name) : std::nullopt;
  if (!text) {
    response.status = 404;
    return;
  }
  const std::string etag = '"' + tiercache::Checksum::of(*text).to_string() + '"';
  response.set_header("ETag", etag);
  if (request.get_header_value("If-None-Match") == etag) {
    response.status = 304;
    return;
  }
  response.set_content(std::move(*text), "application/json");
}

void Upstream::tell_calls(httplib::Response& response) {
  std::lock_guard lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& [target, calls] : calls_) total += calls;
  const nlohmann::json answer = {{"total", total}, {"by_target", calls_}};
  response.set_content(answer.dump(2) + "\n", "application/json");
}

void Upstream::set_failure(const httplib::Request& request, httplib::Response& response) {
  const std::string text = request.has_param("status") ? request.get_param_value("status") : "0";
  const int status = text.size() == 3 ? std::atoi(text.c_str()) : 0;
  if (text != "0" && (status < 400 || status > 599)) {
    response.status = 400;
    response.set_content("status must be 400 to 599\n", "text/plain");
    return;
  }
  std::lock_guard lock(mutex_);
  failing_status_ = status;
  retry_after_ = request.get_param_value("retry_after");
}

}  // namespace refresh_service
