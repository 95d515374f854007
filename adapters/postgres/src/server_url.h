// The URL of a server, or its string of keywords, taken apart as libpq does.
#pragma once

#include <map>
#include <string>

namespace tiercache::postgres {

struct ServerUrl {
  std::string text;                             // as given; a URL without white space around it
  std::map<std::string, std::string> settings;  // by libpq's keywords, decoded
  bool behind_pooler = false;                   // `pgbouncer=true`, as other clients take it
};

// Throws BadConfiguration for what libpq does not read, and for what it would read otherwise than
// it was meant: a password with special characters that are not written as %XX becomes a host, a
// port or a database, which are shown in messages and looked up in DNS. The text holds nothing of
// the URL but names of parameters. White space around the URL is left out.
ServerUrl read_url(const std::string& url);

}  // namespace tiercache::postgres
