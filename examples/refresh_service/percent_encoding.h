// Text in URLs.
#pragma once

#include <string>

namespace refresh_service {

// As in a URL's path: every byte but letters, digits and "-._~" becomes %XX.
std::string percent_encoded(const std::string& text);

}  // namespace refresh_service
