// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "kernels/optimizer_segment.hpp"
#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

/// What the tests of all optimizer kernels share.
namespace mpdist::test {

/// Master, gradient and working copy, filled and guarded. A test adds the slots of its kernel.
struct OptimizerArrays {
  GuardedTensor master, gradient, working;
  OptimizerArrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment)
      : master(uniform_tensor({n}, DType::fp32, 1, misalignment)),
        gradient(uniform_tensor({n}, wire, 4, misalignment, -100, 100)),
        working({n}, compute, misalignment) {}

  /// A step with the fields that every kernel has.
  template <class Step>
  Step common(const kernels::OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    Step a;
    a.master = master;
    a.gradient = gradient;
    if (working.view().dtype() != DType::fp32) a.working = working;
    a.segments = segments;
    a.segment_count = count;
    a.saturated = saturated;
    return a;
  }
  bool intact() const { return master.intact() && gradient.intact() && working.intact(); }
};

/// With the two moments of an Adam-like step; the second is in [smallest, 1].
template <class Step>
struct MomentArrays : OptimizerArrays {
  GuardedTensor m, v;
  MomentArrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment, float smallest)
      : OptimizerArrays(n, wire, compute, misalignment),
        m(uniform_tensor({n}, DType::fp32, 2, misalignment)),
        v(uniform_tensor({n}, DType::fp32, 3, misalignment, smallest, 1)) {}
  Step step(const kernels::OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    Step a = common<Step>(segments, count, saturated);
    a.m = m;
    a.v = v;
    return a;
  }
  bool intact() const { return OptimizerArrays::intact() && m.intact() && v.intact(); }
};

/// The working copy is the master, rounded once and saturated.
template <class Step>
void expect_working_is_rounded_master(const Step& a) {
  EXPECT_TRUE(is_close(a.working ? a.working : a.master, values_of(a.master), 0));
}

/// Masters beyond FP16 saturate in the working copy and are counted; nothing outside the segment is touched.
/// `Arrays(n, wire, compute)` are the test's own, with `step()`; `slot(arrays)` is one that the kernel writes.
template <class Arrays, class Run, class SlotOf>
void expect_saturation_and_segments(Run run, SlotOf slot_of) {
  Stream& stream = stream_under_test();
  const Arrays p(64, DType::fp32, DType::fp16);
  edit(p.master, [](const Tensor& host) {
    for (std::int64_t i = 0; i < 64; ++i) set_value(host, i, i % 2 ? -1e6F : 3.0F);
  });
  const Tensor slot = slot_of(p);
  const std::vector<double> master = values_of(p.master), working = values_of(p.working), before = values_of(slot);
  const kernels::OptimizerSegment segment = {.offset = 3, .elements = 40};
  HostValue<std::int64_t> saturated(stream, -1);
  auto a = p.step(&segment, 1, saturated.data());
  a.lr = 1e-3F;
  run(stream, a);
  EXPECT_EQ(arrived(saturated), 20);
  const std::vector<double> new_master = values_of(p.master), new_working = values_of(p.working), now = values_of(slot);
  for (std::size_t i = 0; i < 64; ++i) {
    if (i >= 3 && i < 43) {
      const auto rounded = static_cast<double>(to_float(to_half(static_cast<float>(new_master[i]))));
      EXPECT_EQ(new_working[i], i % 2 ? -65504.0 : rounded) << i;
      EXPECT_NE(now[i], before[i]) << i;
    } else {
      EXPECT_EQ(new_master[i], master[i]) << i;
      EXPECT_EQ(new_working[i], working[i]) << i;
      EXPECT_EQ(now[i], before[i]) << i;
    }
  }
}

/// Segments outside the arrays, slots of another type or size are refused. `slot` is a pointer to a slot's member.
template <class Arrays, class Step, class Run>
void expect_refusals(Run run, Tensor Step::*slot) {
  Stream& stream = stream_under_test();
  const Arrays p(8, DType::fp16, DType::fp16);
  HostValue<std::int64_t> saturated(stream);
  const kernels::OptimizerSegment outside = {.offset = 4, .elements = 5}, inside = {.offset = 0, .elements = 8};
  EXPECT_THROW(run(stream, p.step(&outside, 1, saturated.data())), InvalidArgument);
  for (const Tensor& wrong : {Tensor(), p.gradient.view(), p.master.view().rows(0, 7)}) {
    Step a = p.step(&inside, 1, saturated.data());
    a.*slot = wrong;
    EXPECT_THROW(run(stream, a), InvalidArgument);
  }
  EXPECT_NO_THROW(run(stream, p.step(&inside, 1, saturated.data())));
  stream.synchronize();
}

}  // namespace mpdist::test
