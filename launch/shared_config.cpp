// SPDX-License-Identifier: Apache-2.0
#include "launch/shared_config.hpp"

#include "src/core/error.hpp"
#include "src/train/agreement.hpp"

namespace mpdist::launch {
namespace {

std::string read_text(const ConfigArguments& arguments) {
  if (arguments.path.empty()) throw UsageError("no config given; expected `mpdist train.toml`, see `mpdist --help`");
  return train::read_config_text(arguments.path);
}

}  // namespace

int first_look_at_threads(const ConfigArguments& arguments) {
  try {
    return static_cast<int>(read_config(arguments).run.threads_per_rank);
  } catch (const Error&) {
    return 1;
  }
}

train::Config read_config(const ConfigArguments& arguments) {
  return train::parse_config(read_text(arguments), arguments.path, arguments.overrides);
}

train::Config read_shared_config(const ConfigArguments& arguments, comm::Communicator& communicator) {
  std::string text, problem;
  if (communicator.rank() == 0) {
    try {
      text = read_text(arguments);
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  problem = communicator.all_gather_text(problem).front();
  if (!problem.empty()) throw collective(UsageError(problem));
  text = communicator.all_gather_text(text).front();
  train::Config config;
  train::together(communicator, [&] { config = train::parse_config(text, arguments.path, arguments.overrides); });
  return config;
}

}  // namespace mpdist::launch
