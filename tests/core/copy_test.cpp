// SPDX-License-Identifier: Apache-2.0
// On the device under test (tests/support/device.hpp).
#include "src/core/copy.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "src/core/host_array.hpp"
#include "src/core/parameters.hpp"
#include "tests/support/device.hpp"

namespace mpdist {
namespace {

using test::pool_under_test;
using test::stream_under_test;

/// 0, 1, 2, ... on the host.
Tensor counted(std::int64_t elements) {
  const Tensor host({elements}, DType::fp32, MemoryKind::data, pool_under_test().host_side());
  for (std::int64_t i = 0; i < elements; ++i) host.data<float>()[i] = static_cast<float>(i);
  return host;
}

bool is_counted(const Tensor& tensor) {
  const Tensor host = to_host(stream_under_test(), tensor, MemoryKind::data);
  const Tensor expected = counted(tensor.elements());
  return std::memcmp(host.raw(), expected.raw(), expected.bytes()) == 0;
}

TEST(Copy, ThereAndBack) {
  const Stream& stream = stream_under_test();
  const Tensor there = to_device(stream, counted(1000), MemoryKind::activations);
  EXPECT_EQ(there.device(), stream.device());
  const Tensor other({1000}, DType::fp32, MemoryKind::activations, pool_under_test());
  copy(stream, there, other);
  EXPECT_TRUE(is_counted(other));
  fill_zero(stream, there.rows(0, 500));
  copy(stream, other.rows(0, 500), there.rows(0, 500));
  EXPECT_TRUE(is_counted(there));
  EXPECT_THROW(copy(stream, there, other.rows(0, 999)), InvalidArgument);
}

TEST(Copy, OnTheCpuNothingMoves) {
  const Tensor host = counted(10);
  const Stream cpu;
  EXPECT_EQ(to_device(cpu, Tensor(host.raw(), host.shape(), DType::fp32), MemoryKind::data).raw(), host.raw());
  EXPECT_EQ(to_host(cpu, Tensor(host.raw(), host.shape(), DType::fp32), MemoryKind::data).raw(), host.raw());
}

TEST(Copy, StreamsAreOrderedByEvents) {
  const Stream first(pool_under_test()), second(pool_under_test());
  Event made(first.device()), used(first.device());
  const Tensor host = counted(1 << 16);
  const Tensor source({1 << 16}, DType::fp32, MemoryKind::data, pool_under_test());
  const Tensor target({1 << 16}, DType::fp32, MemoryKind::data, pool_under_test());
  first.wait(used);    // never recorded: nothing is waited for
  used.synchronize();  // nor here
  EXPECT_TRUE(used.happened());
  copy(first, host, source);
  made.record(first);
  second.wait(made);
  copy(second, source, target);
  used.record(second);
  first.wait(used);
  fill_zero(first, source);
  first.synchronize();
  second.synchronize();
  EXPECT_TRUE(used.happened());
  EXPECT_TRUE(is_counted(target));
}

/// A thread of its own is on the device in use without saying so: loaders and savers.
TEST(Copy, AnyThreadMayCopyAndAllocate) {
  const Tensor there = to_device(stream_under_test(), counted(100), MemoryKind::data);
  bool same = false;
  std::thread([&] {
    const Stream own(pool_under_test());
    const Tensor host({100}, DType::fp32, MemoryKind::data, own.host_pool());
    copy(own, there, host);
    own.synchronize();
    same = is_counted(host);
  }).join();
  EXPECT_TRUE(same);
}

TEST(Copy, ParametersLieWhereTheirPoolIs) {
  ParameterStore here, there;
  for (ParameterStore* store : {&here, &there}) {
    store->add("fc", "weight", {8, 5}, ParameterRole::weight, Initializer::he_normal, 5, 8);
    store->add_statistic("norm", "mean", 3, 1, 0.1F);
  }
  here.finalize(DType::fp16, 3);
  there.finalize(DType::fp16, 3, pool_under_test());
  const auto same = [](const Tensor& a, const Tensor& b) {
    const Tensor host = to_host(stream_under_test(), b, MemoryKind::data);
    return a.bytes() == host.bytes() && std::memcmp(a.raw(), host.raw(), a.bytes()) == 0;
  };
  EXPECT_EQ(there.master().device(), pool_under_test().device());
  EXPECT_TRUE(same(here.master(), there.master()));
  EXPECT_TRUE(same(here.working(), there.working()));
  EXPECT_TRUE(same(here.statistics(), there.statistics()));
  EXPECT_TRUE(same(here.zeros(40, MemoryKind::optimizer), there.zeros(40, MemoryKind::optimizer)));
}

TEST(Copy, HostArraysStartWithTheirValue) {
  const HostArray<std::int64_t> array(stream_under_test(), 5, 7);
  EXPECT_EQ(array.size(), 5);
  for (std::int64_t value : array) EXPECT_EQ(value, 7);
  const HostValue<float> value(pool_under_test(), 2.5F);
  EXPECT_EQ(*value, 2.5F);
}

}  // namespace
}  // namespace mpdist
