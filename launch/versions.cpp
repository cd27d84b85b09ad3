// SPDX-License-Identifier: Apache-2.0
#include "launch/versions.hpp"

#include "comm/mpi/version.hpp"
#include "kernels/processor.hpp"
#include "launch/build.hpp"
#include "src/hdf5/version.hpp"

namespace mpdist::launch {

std::vector<train::Fact> version_facts() {
  return {{"build", build_text()},
          {"oneDNN", kernels::cpu::library_version()},
          {"instruction set", kernels::cpu::instruction_set()},
          {"MPI", comm::mpi_version()},
          {"HDF5", hdf5::version()}};
}

std::string facts_line(const std::vector<train::Fact>& facts) {
  std::string line;
  for (const train::Fact& fact : facts) line += (line.empty() ? "" : "; ") + fact.item + ": " + fact.value;
  return line;
}

}  // namespace mpdist::launch
