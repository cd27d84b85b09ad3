// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "tests/software_gpu/cublaslt/problem.hpp"

namespace software_gpu::cublaslt {

/// The algorithms that suit the problem and the preference, in the order in which the heuristic offers them: what a
/// program must exclude by its preference if it does not want it (rounded partial sums, workspace) comes first.
std::vector<Algorithm> suitable_algorithms(const Problem& problem, const Preference& preference);

}  // namespace software_gpu::cublaslt
