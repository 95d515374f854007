// Asks a server that is not there, which libcurl has to find out.
#include <tiercache/http.h>

#include <stdexcept>

int main() {
  const auto source = tiercache::http::source({.url = "http://127.0.0.1:1/"});
  tiercache::RefreshContext context;
  try {
    (void)source(context);
  } catch (const std::runtime_error&) {
    return 0;
  }
  return 1;
}
