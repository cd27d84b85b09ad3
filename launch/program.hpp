// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace mpdist::launch {

/// The whole program: command line, all subcommands, training under mpirun; returns the exit code. `mpdist` is this and
/// nothing else. An executable of one's own calls it after adding its own models (models::add,
/// src/models/registry.hpp).
int program(int argc, char** argv);

}  // namespace mpdist::launch
