// SPDX-License-Identifier: Apache-2.0
#include "kernels/threads.hpp"

#include "src/core/error.hpp"

// OpenMP's C interface of the runtime that oneDNN asks, GNU's. Another compiler's omp.h and -fopenmp would bring a
// second runtime, whose counts oneDNN never sees.
extern "C" {
void omp_set_num_threads(int threads);
int omp_get_max_threads();
}

namespace mpdist::kernels::cpu {

void set_threads(int threads) {
  require(threads >= 1, "threads: at least 1 expected, found {}", threads);
  omp_set_num_threads(threads);
}

int threads() {
  return omp_get_max_threads();
}

}  // namespace mpdist::kernels::cpu
