// SPDX-License-Identifier: Apache-2.0
#include "comm/mpi/check.hpp"

#include <string_view>

#include "src/core/error.hpp"

namespace mpdist::comm {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  const std::string_view whole(call);
  throw LibraryError("MPI", whole.substr(0, whole.find('(')), std::string_view(text, static_cast<std::size_t>(length)));
}

}  // namespace mpdist::comm
