// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "launch/commands.hpp"

namespace mpdist::launch {

void add_config_arguments(CLI::App& app, ConfigArguments& arguments) {
  app.add_option("config", arguments.path, "Config file in TOML")->type_name("FILE");
  app.add_option("--set", arguments.overrides, "Use this value of a key; may be given several times")
      ->type_name("TABLE.KEY=VALUE")
      ->allow_extra_args(false);
}

}  // namespace mpdist::launch
