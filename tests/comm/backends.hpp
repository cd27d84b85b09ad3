// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "src/core/copy.hpp"

namespace mpdist::test {

/// One way to make a communicator over the ranks of this run.
struct Backend {
  std::string name;
  std::function<std::unique_ptr<comm::Communicator>(comm::Communicator& host)> make;
  bool on_gpu = false;
};

/// Every backend that this number of ranks allows: self (one rank), mpi on the real machine, mpi without windows, and
/// mpi on pretended nodes of 1, 2, 4 ranks in both placements, so that the exchange between nodes really runs. Where
/// MPDIST_TEST_DEVICE is cuda: nccl, by both of its exchanges.
const std::vector<Backend>& backends();
bool on_gpus();

/// How many ranks this run has.
int ranks();

/// Puts values where the communicator's buffers lie, and reads them there: on a GPU by its stream, like the
/// all-reduces.
template <class T>
void write(comm::Communicator& communicator, std::byte* to, std::vector<T> values) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  copy(communicator.stream(), Tensor(values.data(), shape, dtype_of<T>),
       Tensor(to, shape, dtype_of<T>, communicator.stream().device()));
  communicator.stream().synchronize();
}
template <class T>
std::vector<T> read(comm::Communicator& communicator, const std::byte* from, std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  copy(communicator.stream(),
       Tensor(const_cast<std::byte*>(from), Shape{count}, dtype_of<T>, communicator.stream().device()),
       Tensor(values.data(), Shape{count}, dtype_of<T>));
  Event done(communicator.stream().device());
  done.record(communicator.stream());
  communicator.wait(done);
  return values;
}

/// A test suite over all backends: `communicator_` is collective, made anew for each test.
class OverBackends : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override;
  comm::Communicator& communicator() { return *communicator_; }
  comm::Communicator& host() { return host_ ? *host_ : *communicator_; }  ///< of values in host memory
  int rank() const { return communicator_->rank(); }
  int size() const { return communicator_->size(); }

 private:
  std::unique_ptr<comm::Communicator> host_;  ///< beside a communicator of GPUs
  std::unique_ptr<comm::Communicator> communicator_;
};

#define MPDIST_OVER_BACKENDS(Suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(::mpdist::test::backends()), \
                           [](const auto& backend_info) { return backend_info.param.name; })

}  // namespace mpdist::test
