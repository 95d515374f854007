// Takes the URL of a server, or its string of keywords, apart as libpq does.
#pragma once

#include <map>
#include <string>

namespace tiercache::postgres {

struct ServerUrl {
  std::string text;                             // as it was given; of a URL, without white space
  std::map<std::string, std::string> settings;  // decoded, by libpq's keywords
  bool behind_pooler = false;                   // it says `pgbouncer=true`, as for other clients
};

// Throws BadConfiguration for what libpq cannot read, and for what it would not read as it was
// meant: a password with special characters that are not written as %XX becomes a host, a port or a
// database, which are shown in messages and looked up in DNS. The exception's text quotes nothing
// of the URL but names of parameters. White space around the URL is ignored.
ServerUrl read_url(const std::string& url);

}  // namespace tiercache::postgres
