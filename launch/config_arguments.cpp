// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "launch/commands.hpp"

namespace mpdist::launch {

void add_overrides(CLI::App& app, std::vector<std::string>& overrides) {
  app.add_option("--set", overrides, "Use this value of a config key; may be given several times")
      ->type_name("TABLE.KEY=VALUE")
      ->allow_extra_args(false);
}

void add_config_arguments(CLI::App& app, ConfigArguments& arguments) {
  app.add_option("config", arguments.path, "Config file in TOML")->type_name("FILE");
  add_overrides(app, arguments.overrides);
}

}  // namespace mpdist::launch
