// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace mpdist::test {

/// One way to make a communicator over the ranks of this run.
struct Backend {
  std::string name;
  std::function<std::unique_ptr<comm::Communicator>()> make;
};

/// Every backend that this number of ranks allows: self (one rank), mpi on the real machine, mpi without windows, and
/// mpi on pretended nodes of 1, 2 and 4 ranks in both placements, so that the exchange between nodes really runs.
const std::vector<Backend>& backends();

/// How many ranks this run has.
int ranks();

/// A test suite over all backends: `communicator_` is collective, made anew for each test.
class OverBackends : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override { communicator_ = GetParam().make(); }
  comm::Communicator& communicator() { return *communicator_; }
  int rank() const { return communicator_->rank(); }
  int size() const { return communicator_->size(); }

 private:
  std::unique_ptr<comm::Communicator> communicator_;
};

#define MPDIST_OVER_BACKENDS(Suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(::mpdist::test::backends()), \
                           [](const auto& backend_info) { return backend_info.param.name; })

}  // namespace mpdist::test
