// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mpdist::kernels::cpu {

/// OpenMP threads that matrix products and convolutions started by the *calling thread* use; the count is per thread,
/// so every thread that runs kernels sets it. The bits of weight gradients depend on it: `run.threads_per_rank` is the
/// only source. Throws InvalidArgument below 1.
void set_threads(int threads);

/// What set_threads() set on this thread.
int threads();

}  // namespace mpdist::kernels::cpu
