// The command line, and the configuration that it leads to.
#pragma once

#include <optional>
#include <string>

#include "refresh_service/config.h"

namespace CLI {
class App;
}

namespace refresh_service {

// What was given; empty where an option was left out.
struct Arguments {
  std::string config_file;
  std::string env_file;
  std::string store;
  std::string upstream_from;
  int upstream_port = 0;
};

// Adds the options to `app`, which fills `arguments` when it parses the command line.
void add_options(CLI::App& app, Arguments& arguments);

// The file's configuration, changed by the environment and the command line. Throws BadConfig. Puts
// the variables of --env-file into the process, so call it before there is any other thread.
Config read_configuration(const Arguments& arguments);

}  // namespace refresh_service
