#include "refresh_service/answers.h"

#include <utility>

#include "tiercache/error.h"

namespace refresh_service {

using nlohmann::json;

void answer_json(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(2, ' ', false, json::error_handler_t::replace) + "\n",
                       "application/json");
}

void answer_error(httplib::Response& response, int status, const std::string& error) {
  answer_json(response, status, {{"error", error}});
}

void answer_exception(httplib::Response& response, std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const tiercache::InvalidKey& error) {
    answer_error(response, 400, error.what());
  } catch (const tiercache::InvalidDocument& error) {
    answer_error(response, 422, error.what());
  } catch (const tiercache::Error& error) {
    response.set_header("Retry-After", "1");
    answer_error(response, 503, error.what());
  } catch (...) {
    answer_error(response, 500, "the request could not be served");
  }
}

}  // namespace refresh_service
