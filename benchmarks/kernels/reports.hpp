// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "benchmarks/kernels/cases.hpp"

/// What kernels_benchmark prints; each throws Error on a wrong result.
namespace mpdist::benchmarks {

/// Flat kernels on one CPU thread, verified against their formulas, then against a copy of as many elements as fit each
/// cache.
void report_cpu();

/// Every kernel on the GPU in use: verified against the CPU half at one set of sizes, then timed at another against the
/// copy bandwidth and the matrix peak of the same run; `once`: by single calls.
void report_gpu(const Sizes& verified, const Sizes& timed, bool once);

/// A Markdown table of bytes, operations and floor of every case on an H100, by the numbers of its data sheet: nothing
/// is run.
void print_floors(const Sizes& sizes);

}  // namespace mpdist::benchmarks
