// SPDX-License-Identifier: Apache-2.0
// mpdist: distributed data-parallel mixed-precision training. `mpdist train.toml` trains; subcommands do the rest.
#include "launch/program.hpp"

// NOLINTNEXTLINE(bugprone-exception-escape): outside the guards only a defect of the option table can throw
int main(int argc, char** argv) {
  return mpdist::launch::program(argc, argv);
}
