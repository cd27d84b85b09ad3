// SPDX-License-Identifier: Apache-2.0
#include "kernels/threads.hpp"

#include <omp.h>

#include "src/core/error.hpp"

namespace mpdist::kernels::cpu {

void set_threads(int threads) {
  require(threads >= 1, "threads: at least 1 expected, found {}", threads);
  omp_set_num_threads(threads);
}

int threads() {
  return omp_get_max_threads();
}

}  // namespace mpdist::kernels::cpu
