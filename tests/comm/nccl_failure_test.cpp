// SPDX-License-Identifier: Apache-2.0
// Run with SOFTWARE_GPU_NCCL_FAIL = 3 or 3:direct: the third launch of every rank, which is the second bucket's first,
// fails while it is under way, or when it is enqueued.
#include <cstdlib>

#include "comm/factory.hpp"
#include "comm/gradient_reducer.hpp"
#include "tests/comm/backends.hpp"

namespace mpdist::comm {
namespace {

/// Two steps of three parameters, a bucket each.
void run_steps(Communicator& host, Stream& stream, const ParameterStore& store) {
  const auto communicator = make_nccl(host);
  GradientReducer reducer(store, host, *communicator, stream,
                          {.wire = DType::fp32, .shards = host.size(), .first_bucket_bytes = 1, .bucket_bytes = 1});
  reducer.set_step(41);
  for (const Parameter* parameter : store.parameters()) {
    const Tensor gradient(parameter->shape, DType::fp32, MemoryKind::gradients, stream.pool());
    fill_zero(stream, gradient);
    reducer.leaf(stream, *parameter, 0, gradient);
  }
  reducer.reduce(stream);
  reducer.synchronize(stream);
  reducer.release(stream);
}

TEST(NcclFailure, NamesStepAndBucketAndIsWorthAnotherTry) {
  ASSERT_NE(std::getenv("SOFTWARE_GPU_NCCL_FAIL"), nullptr);
  ParameterStore store;
  for (const char* name : {"first", "second", "third"}) {
    store.add(name, "weight", Shape{200}, ParameterRole::weight, Initializer::zeros);
  }
  store.finalize(DType::fp32, 1);
  const auto host = make_communicator("mpi");
  Stream stream(Pool::cuda());
  try {
    run_steps(*host, stream, store);
    FAIL() << "nothing failed";
  } catch (const ExchangeError& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.exit_code(), ExitCode::retry);
    EXPECT_NE(text.find("attempted step 41, bucket 2 of 3 (896 bytes from second.weight on): NCCL: "),
              std::string::npos)
        << text;
  }
  stream.synchronize();  // what was under way has been stopped
}

}  // namespace
}  // namespace mpdist::comm
