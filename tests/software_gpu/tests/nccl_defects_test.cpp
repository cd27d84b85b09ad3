// SPDX-License-Identifier: Apache-2.0
// Planted defects of programs that use NCCL, one test each, and the failures that the environment plants.
#include "tests/software_gpu/tests/nccl_ranks.hpp"

namespace software_gpu::testing {
namespace {

Environment impatient(Environment environment = schedule("random")) {
  environment["SOFTWARE_GPU_TIMEOUT_S"] = "1";
  return environment;
}

/// A sum of `count` floats of every rank.
void add_up(Rank& r, std::size_t count = 4) {
  call(ncclAllReduce(r.in->get(), r.out->get(), count, ncclFloat32, ncclSum, r.communicator, *r.stream));
}

TEST(NcclDefects, CountsDiffer) {
  expect_reported("collective-mismatch", ranks(2, [](Rank& r) {
                    add_up(r, r.rank == 0 ? 4 : 5);
                    call(cudaStreamSynchronize(*r.stream));
                  }));
}

TEST(NcclDefects, CallsComeInAnotherOrder) {
  expect_reported("collective-mismatch", schedule("random"), ranks(2, [](Rank& r) {
                    const auto gather = [&] {
                      call(ncclAllGather(r.in->get(), r.out->get(), 4, ncclFloat32, r.communicator, *r.stream));
                    };
                    if (r.rank == 0) gather();
                    add_up(r);
                    if (r.rank == 1) gather();
                    call(cudaStreamSynchronize(*r.stream));
                  }));
}

TEST(NcclDefects, RootsDiffer) {
  expect_reported("collective-mismatch", schedule("random"), ranks(2, [](Rank& r) {
                    call(ncclBroadcast(r.in->get(), r.out->get(), 4, ncclFloat32, r.rank, r.communicator, *r.stream));
                    call(cudaStreamSynchronize(*r.stream));
                  }));
}

void one_message(Rank& r, std::size_t received, ncclDataType_t type) {
  if (r.rank == 0) call(ncclSend(r.in->get(), 4, ncclFloat32, 1, r.communicator, *r.stream));
  if (r.rank == 1) call(ncclRecv(r.out->get(), received, type, 0, r.communicator, *r.stream));
  call(cudaStreamSynchronize(*r.stream));
}

TEST(NcclDefects, MessageIsLongerThanItsReceiverExpects) {
  expect_reported("collective-mismatch", ranks(2, [](Rank& r) { one_message(r, 3, ncclFloat32); }));
}

TEST(NcclDefects, MessageIsOfAnotherType) {
  expect_reported("collective-mismatch", schedule("lazy"), ranks(2, [](Rank& r) { one_message(r, 4, ncclInt32); }));
}

TEST(NcclDefects, MessagesThatBothSendFirstWaitForEver) {
  const auto body = ranks(2, [](Rank& r) {
    call(ncclSend(r.in->get(), 4, ncclFloat32, 1 - r.rank, r.communicator, *r.stream));
    call(ncclRecv(r.out->get(), 4, ncclFloat32, 1 - r.rank, r.communicator, *r.stream));
    call(cudaStreamSynchronize(*r.stream));
  });
  expect_reported("deadlock", impatient(), body, 88);
}

TEST(NcclDefects, RankThatStaysAway) {
  const auto body = ranks(2, [](Rank& r) {
    if (r.rank == 0) add_up(r);
    call(cudaStreamSynchronize(*r.stream));
    if (r.rank == 1) r.communicator = nullptr;  // leaves without a word
  });
  Environment environment = impatient();
  environment["SOFTWARE_GPU_LEAKS"] = "0";
  expect_reported("deadlock", environment, body, 88);
}

TEST(NcclDefects, MemoryOfTheHost) {
  expect_reported("not-device-memory", schedule("random"), ranks(2, [](Rank& r) {
                    const Memory pinned(Memory::pinned, 64);
                    call(ncclAllReduce(pinned.get(), r.out->get(), 4, ncclFloat32, ncclSum, r.communicator, *r.stream));
                    call(cudaStreamSynchronize(*r.stream));
                  }));
}

TEST(NcclDefects, FreedBuffer) {
  expect_reported(
      "use-after-free", schedule("random"), ranks(1, [](Rank& r) {
        const std::byte* const gone = r.in->get();
        r.in.reset();
        static_cast<void>(ncclAllReduce(gone, r.out->get(), 4, ncclFloat32, ncclSum, r.communicator, *r.stream));
        static_cast<void>(cudaStreamSynchronize(*r.stream));
        std::exit(EXIT_SUCCESS);
      }));
}

TEST(NcclDefects, BufferThatNobodyWrote) {
  expect_reported("uninitialised-read", schedule("random"), ranks(2, [](Rank& r) {
                    const Memory fresh(Memory::device, 64);
                    call(ncclAllReduce(fresh.get(), r.out->get(), 4, ncclFloat32, ncclSum, r.communicator, *r.stream));
                    call(cudaStreamSynchronize(*r.stream));
                  }));
}

/// Writes the gradient on one stream, sums it on another, and reads the sum on the first again.
void exchange_beside(Rank& r, bool wait_before, bool wait_after) {
  const Stream compute;
  const Event ready, done;
  call(cudaMemsetAsync(r.in->get(), 0, 16, compute));
  call(cudaEventRecord(ready, compute));
  if (wait_before) call(cudaStreamWaitEvent(*r.stream, ready, 0));
  add_up(r);
  call(cudaEventRecord(done, *r.stream));
  if (wait_after) call(cudaStreamWaitEvent(compute, done, 0));
  call(cudaMemcpyAsync(r.in->get(), r.out->get(), 16, cudaMemcpyDeviceToDevice, compute));
  call(cudaDeviceSynchronize());
}

TEST(NcclDefects, StreamsOrderedByEventsAreClean) {
  expect_clean(ranks(2, [](Rank& r) { exchange_beside(r, true, true); }));
}

TEST(NcclDefects, ExchangeStartsBeforeItsGradient) {
  expect_reported("stream-race", ranks(2, [](Rank& r) { exchange_beside(r, false, true); }));
}

TEST(NcclDefects, SumIsReadBeforeItIsThere) {
  expect_reported("stream-race", ranks(2, [](Rank& r) { exchange_beside(r, true, false); }));
}

TEST(NcclDefects, CommunicatorAfterItsEnd) {
  expect_reported("destroyed-communicator", schedule("random"), ranks(2, [](Rank& r) {
                    call(ncclCommDestroy(r.communicator));
                    expect_nccl(ncclInvalidArgument, ncclAllReduce(r.in->get(), r.out->get(), 4, ncclFloat32, ncclSum,
                                                                   r.communicator, *r.stream));
                    r.communicator = nullptr;
                  }));
}

TEST(NcclDefects, CommunicatorThatNobodyDestroys) {
  expect_reported("leak", schedule("random"), ranks(2, [](Rank& r) { r.communicator = nullptr; }));
}

TEST(NcclDefects, TwoRanksOnOneDevice) {
  expect_reported("device-shared", schedule("random"), [] {
    run_processes(2, [](int rank, const ncclUniqueId& id) {
      ncclComm_t communicator = nullptr;
      expect_nccl(ncclInvalidUsage, ncclCommInitRank(&communicator, 2, id, rank));  // both on device 0
    });
  });
}

TEST(NcclDefects, UnknownOperationStopsWithItsName) {
  const Outcome outcome =
      run_in_child(schedule("random"), ranks(1, [](Rank& r) {
                     ncclRedOp_t op = ncclSum;
                     float factor = 2;
                     call(ncclRedOpCreatePreMulSum(&op, &factor, ncclFloat32, ncclScalarHostImmediate, r.communicator));
                   }));
  EXPECT_EQ(outcome.status, 89);
  EXPECT_NE(outcome.errors.find("ncclRedOpCreatePreMulSum"), std::string::npos) << outcome.errors;
}

TEST(NcclFailures, DirectOneIsReturned) {
  Environment environment = schedule("random");
  environment["SOFTWARE_GPU_NCCL_FAIL"] = "2:direct";
  expect_clean(environment, ranks(2, [](Rank& r) {
                 add_up(r);
                 expect_nccl(ncclSystemError, ncclAllReduce(r.in->get(), r.out->get(), 4, ncclFloat32, ncclSum,
                                                            r.communicator, *r.stream));
                 add_up(r);
                 call(cudaStreamSynchronize(*r.stream));
               }));
}

TEST(NcclFailures, AsynchronousOneNeverEndsAndIsTold) {
  for (Environment environment : all_schedules()) {
    environment["SOFTWARE_GPU_NCCL_FAIL"] = "2:1";
    expect_clean(environment, ranks(2, [](Rank& r) {
                   add_up(r);
                   call(cudaStreamSynchronize(*r.stream));
                   if (r.rank == 0) return;  // the other one's second sum would wait for ever
                   add_up(r);
                   ncclResult_t state = ncclSuccess;
                   while (state == ncclSuccess) {
                     expect_error(cudaErrorNotReady, cudaStreamQuery(*r.stream));
                     call(ncclCommGetAsyncError(r.communicator, &state));
                   }
                   expect_nccl(ncclRemoteError, state);
                   const Memory copy(Memory::device, 16);
                   call(cudaMemcpyAsync(copy.get(), r.out->get(), 16, cudaMemcpyDeviceToDevice, *r.stream));
                   call(ncclCommAbort(r.communicator));
                   r.communicator = nullptr;
                   call(cudaStreamSynchronize(*r.stream));  // what was enqueued behind runs, on what nobody knows
                 }));
  }
}

}  // namespace
}  // namespace software_gpu::testing
