// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/version.hpp"

#include "comm/mpi/check.hpp"

namespace mpdist::comm {

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPDIST_MPI(MPI_Get_library_version(text, &length));
  const std::string whole(text, static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));  // Open MPI goes on with package, ident and date
}

}  // namespace mpdist::comm
