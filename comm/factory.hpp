// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"

namespace mpdist::comm {

/// The backends of this build, by name.
const std::vector<std::string>& backends();

/// Makes a communicator over all ranks of the job ("mpi", which needs an Environment) or of this process alone
/// ("self"). "auto": mpi where an Environment lives, else self. Throws UsageError for any other name. Collective.
std::unique_ptr<Communicator> make_communicator(std::string_view backend = "auto");

/// A communicator of GPUs over the ranks of `host`, each on the device that it uses (cuda::use): the all-reduces run on
/// a stream of their own, all else goes by `host`, which must live as long. Refuses two ranks on one GPU. Throws
/// Unsupported in a build without CUDA. Collective.
std::unique_ptr<Communicator> make_nccl(Communicator& host);

/// This rank's place among the ranks of its machine, by host name.
int local_rank(const Communicator& communicator);

/// Whether every machine of the job has a CPU for each rank's `threads_per_rank` and one more beside them, so that a
/// communication thread costs the others nothing. The same answer on all ranks. Collective.
bool has_spare_cpus(Communicator& communicator, int threads_per_rank);

}  // namespace mpdist::comm
