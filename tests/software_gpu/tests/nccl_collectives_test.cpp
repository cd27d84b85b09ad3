// SPDX-License-Identifier: Apache-2.0
// What the stand-in for NCCL computes, against values computed by hand, under every schedule.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/software_gpu/tests/nccl_ranks.hpp"

namespace software_gpu::testing {
namespace {

template <class T>
void expect_values(const std::vector<T>& expected, const std::vector<T>& found, int line = __builtin_LINE()) {
  require(expected == found, ::testing::PrintToString(expected) + " == " + ::testing::PrintToString(found), line);
}

TEST(NcclCollectives, AllReduceAddsWhatEveryRankHas) {
  expect_clean(ranks(3, [](Rank& r) {
    const auto mine = static_cast<float>(r.rank + 1);
    r.put<float>({mine, 10 * mine, -mine});
    call(ncclAllReduce(r.in->get(), r.out->get(), 3, ncclFloat32, ncclSum, r.communicator, *r.stream));
    expect_values<float>({6, 60, -6}, r.result<float>(3));
    call(ncclAllReduce(r.out->get(), r.out->get(), 3, ncclFloat32, ncclMax, r.communicator, *r.stream));  // in place
    expect_values<float>({6, 60, -6}, r.result<float>(3));
  }));
}

TEST(NcclCollectives, AllReduceOfOtherTypesAndOperations) {
  expect_clean(schedule("random"), ranks(2, [](Rank& r) {
                 const auto reduce = [&](ncclDataType_t type, ncclRedOp_t op) {
                   call(ncclAllReduce(r.in->get(), r.out->get(), 2, type, op, r.communicator, *r.stream));
                 };
                 const int sign = r.rank == 0 ? 1 : -1;
                 r.put<std::int64_t>({sign * (std::int64_t{1} << 40), 5});
                 reduce(ncclInt64, ncclMin);
                 expect_values<std::int64_t>({-(std::int64_t{1} << 40), 5}, r.result<std::int64_t>(2));
                 r.put<double>({sign * 0.5, 3});
                 reduce(ncclFloat64, ncclProd);
                 expect_values<double>({-0.25, 9}, r.result<double>(2));
                 r.put<std::uint8_t>({200, 1});
                 reduce(ncclUint8, ncclMax);
                 expect_values<std::uint8_t>({200, 1}, r.result<std::uint8_t>(2));
               }));
}

TEST(NcclCollectives, SixteenBitSumsRoundAtEveryStep) {
  expect_clean(schedule("random"), ranks(3, [](Rank& r) {
                 // 2048 + 1 + 1 in FP16, 256 + 1 + 1 in BF16: the unit in the last place there is 2, ties go to even.
                 // The first element's sum begins with rank 1, the last one's with rank 0.
                 const float large[] = {1, 2048, 1}, less[] = {1, 256, 1};
                 const __half h = __float2half(large[r.rank]);
                 r.put<__half>({h, h, h});
                 call(ncclAllReduce(r.in->get(), r.out->get(), 3, ncclFloat16, ncclSum, r.communicator, *r.stream));
                 std::vector<float> found;
                 for (const __half value : r.result<__half>(3)) found.push_back(__half2float(value));
                 expect_values<float>({2048, 2050, 2048}, found);
                 const __nv_bfloat16 b = __float2bfloat16(less[r.rank]);
                 r.put<__nv_bfloat16>({b, b, b});
                 call(ncclAllReduce(r.in->get(), r.out->get(), 3, ncclBfloat16, ncclSum, r.communicator, *r.stream));
                 found.clear();
                 for (const __nv_bfloat16 value : r.result<__nv_bfloat16>(3)) found.push_back(__bfloat162float(value));
                 expect_values<float>({256, 258, 256}, found);
               }));
}

TEST(NcclCollectives, AllReduceIsNotTheSumOfATree) {
  expect_clean(schedule("random"), ranks(4, [](Rank& r) {
                 const float values[] = {1e8f, -1e8f, 1, 1};  // a tree gives 2
                 r.put<float>({values[r.rank]});
                 call(ncclAllReduce(r.in->get(), r.out->get(), 1, ncclFloat32, ncclSum, r.communicator, *r.stream));
                 expect_values<float>({0}, r.result<float>(1));
               }));
}

TEST(NcclCollectives, AllGatherBroadcastAndReduceScatter) {
  expect_clean(ranks(3, [](Rank& r) {
    const auto mine = static_cast<float>(r.rank + 1);
    r.put<float>({mine, -mine, 100 * mine});
    call(ncclAllGather(r.in->get(), r.out->get(), 2, ncclFloat32, r.communicator, *r.stream));
    expect_values<float>({1, -1, 2, -2, 3, -3}, r.result<float>(6));
    call(ncclBroadcast(r.in->get(), r.out->get(), 3, ncclFloat32, 2, r.communicator, *r.stream));
    expect_values<float>({3, -3, 300}, r.result<float>(3));
    call(ncclReduceScatter(r.in->get(), r.out->get(), 1, ncclFloat32, ncclSum, r.communicator, *r.stream));
    expect_values<float>({std::vector<float>{6, -6, 600}[static_cast<std::size_t>(r.rank)]}, r.result<float>(1));
  }));
}

TEST(NcclCollectives, GroupedMessagesGoAroundARing) {
  expect_clean(ranks(3, [](Rank& r) {
    const int next = (r.rank + 1) % r.size, previous = (r.rank + r.size - 1) % r.size;
    for (int round = 1; round <= 3; ++round) {
      r.put<std::int32_t>({10 * r.rank + round, round});
      call(ncclGroupStart());
      call(ncclSend(r.in->get(), 2, ncclInt32, next, r.communicator, *r.stream));
      call(ncclRecv(r.out->get(), 2, ncclInt32, previous, r.communicator, *r.stream));
      call(ncclGroupEnd());
      expect_values<std::int32_t>({10 * previous + round, round}, r.result<std::int32_t>(2));
    }
  }));
}

TEST(NcclCollectives, MessagesBetweenTwoRanksKeepTheirOrder) {
  expect_clean(ranks(2, [](Rank& r) {
    r.put<std::int32_t>({1, 2});
    call(ncclGroupStart());
    for (std::size_t i = 0; i < 2; ++i) {
      if (r.rank == 0) call(ncclSend(r.in->get(4 * i), 1, ncclInt32, 1, r.communicator, *r.stream));
      if (r.rank == 1) call(ncclRecv(r.out->get(4 * i), 1, ncclInt32, 0, r.communicator, *r.stream));
    }
    call(ncclGroupEnd());
    if (r.rank == 1) expect_values<std::int32_t>({1, 2}, r.result<std::int32_t>(2));
  }));
}

TEST(NcclCollectives, RanksSizesDevicesAndErrorsAreTold) {
  expect_clean(schedule("random"), ranks(2, [](Rank& r) {
                 int number = -1;
                 call(ncclCommCount(r.communicator, &number));
                 require(number == 2);
                 call(ncclCommUserRank(r.communicator, &number));
                 require(number == r.rank);
                 call(ncclCommCuDevice(r.communicator, &number));
                 require(number == r.rank);
                 call(ncclGetVersion(&number));
                 require(number == NCCL_VERSION_CODE);
                 ncclResult_t state = ncclInternalError;
                 call(ncclCommGetAsyncError(r.communicator, &state));
                 expect_nccl(ncclSuccess, state);
                 call(ncclCommFinalize(r.communicator));
                 const auto refused = [&](ncclResult_t result) { expect_nccl(ncclInvalidArgument, result); };
                 refused(ncclSend(r.in->get(), 1, ncclFloat32, 2, r.communicator, *r.stream));
                 refused(ncclRecv(r.out->get(), 1, ncclFloat32, -1, r.communicator, *r.stream));
                 refused(ncclAllGather(r.in->get(), r.out->get(), 1, ncclNumTypes, r.communicator, *r.stream));
                 expect_nccl(ncclInvalidUsage, ncclGroupEnd());
               }));
}

}  // namespace
}  // namespace software_gpu::testing
