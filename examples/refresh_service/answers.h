// HTTP answers in JSON, and what the cache throws as such an answer.
#pragma once

#include <httplib.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <string>

namespace refresh_service {

void answer_json(httplib::Response& response, int status, const nlohmann::json& body);

// {"error": …}
void answer_error(httplib::Response& response, int status, const std::string& error);

// A client's mistake is told as 4xx and the cache's trouble as 503. The text of what the cache
// throws is fit for outsiders; that of other exceptions may not be, and is not told.
void answer_exception(httplib::Response& response, std::exception_ptr thrown);

}  // namespace refresh_service
