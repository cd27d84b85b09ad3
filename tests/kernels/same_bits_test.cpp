// SPDX-License-Identifier: Apache-2.0
// What the README promises of element-wise kernels: the GPU's bits are the CPU's. Part of CUDA builds only, run on a
// GPU.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <tuple>
#include <vector>

#include "kernels/adamw_step.hpp"
#include "kernels/dropout.hpp"
#include "kernels/ema_update.hpp"
#include "kernels/gelu.hpp"
#include "kernels/leaf_round.hpp"
#include "kernels/lion_step.hpp"
#include "kernels/pooling.hpp"
#include "kernels/rmsprop_step.hpp"
#include "kernels/sgd_step.hpp"
#include "kernels/softmax_cross_entropy.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

Stream& cpu_stream() {
  static Stream stream;
  return stream;
}

/// The same elements on both devices.
struct Both {
  GuardedTensor gpu;
  Tensor cpu;
  Both(Shape shape, DType dtype, std::uint64_t seed, float low = -2, float high = 2)
      : gpu(uniform_tensor(shape, dtype, seed, 0, low, high)), cpu(shape, dtype, MemoryKind::workspace) {
    std::memcpy(cpu.raw(), host_copy(gpu).raw(), cpu.bytes());
  }
};

::testing::AssertionResult same_bits(const Both& both) {
  const Tensor gpu = host_copy(both.gpu);
  const std::vector<double> left = values_of(gpu), right = values_of(both.cpu);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(left[i]) == std::bit_cast<std::uint64_t>(right[i])) continue;
    return ::testing::AssertionFailure() << "element " << i << ": " << left[i] << " on the GPU, " << right[i]
                                         << " on the CPU";
  }
  return ::testing::AssertionSuccess();
}

constexpr std::int64_t kElements = 5000;

TEST(SameBits, TheDeviceUnderTestIsAGpu) {
  ASSERT_EQ(device_under_test(), Device::cuda);
}

TEST(SameBits, Gelu) {
  for (DType type : kComputeTypes) {
    const Both x({kElements}, type, 1, -14, 14), dy({kElements}, type, 2);
    gelu_backward(stream_under_test(), {.x = x.gpu, .dy = dy.gpu, .dx = dy.gpu});
    gelu_backward(cpu_stream(), {.x = x.cpu, .dy = dy.cpu, .dx = dy.cpu});
    EXPECT_TRUE(same_bits(dy));
    gelu_forward(stream_under_test(), {.x = x.gpu, .y = x.gpu});
    gelu_forward(cpu_stream(), {.x = x.cpu, .y = x.cpu});
    EXPECT_TRUE(same_bits(x));
  }
}

TEST(SameBits, DropoutEmaAndLeaves) {
  const RandomKey key = {42, hash_name("dropout1"), 7};
  for (DType type : kComputeTypes) {
    const Both x({7, 999}, type, 1), gradient({kElements}, DType::fp32, 3, -1e5F, 1e5F), leaf({kElements}, type, 4);
    dropout(stream_under_test(), {.x = x.gpu, .y = x.gpu, .probability = 0.3F, .key = key, .first_item = 5});
    dropout(cpu_stream(), {.x = x.cpu, .y = x.cpu, .probability = 0.3F, .key = key, .first_item = 5});
    EXPECT_TRUE(same_bits(x));
    const HostValue<std::int64_t> gpu(stream_under_test(), -1), cpu(cpu_stream(), -2);
    leaf_round(stream_under_test(),
               {.gradient = gradient.gpu, .leaf = leaf.gpu, .factor = 0.75F, .nonfinite = gpu.data()});
    leaf_round(cpu_stream(), {.gradient = gradient.cpu, .leaf = leaf.cpu, .factor = 0.75F, .nonfinite = cpu.data()});
    EXPECT_TRUE(same_bits(leaf));
    EXPECT_EQ(arrived(gpu), *cpu);
  }
  const Both average({kElements}, DType::fp32, 5), value({kElements}, DType::fp32, 6);
  ema_update(stream_under_test(), {.average = average.gpu, .value = value.gpu});
  ema_update(cpu_stream(), {.average = average.cpu, .value = value.cpu});
  EXPECT_TRUE(same_bits(average));
}

/// Loss and gradient too: the sums of a row have the CPU's order.
TEST(SameBits, SoftmaxCrossEntropy) {
  Tensor labels({40}, DType::int32, MemoryKind::data);
  for (std::int32_t row = 0; row < 40; ++row) labels.data<std::int32_t>()[row] = row % 7 == 6 ? -1 : row;
  const GuardedTensor gpu_labels({40}, DType::int32);
  overwrite(gpu_labels, [&](const Tensor& host) { std::memcpy(host.raw(), labels.raw(), host.bytes()); });
  for (DType type : kComputeTypes) {
    for (float smoothing : {0.0F, 0.1F}) {
      const Both logits({40, 77}, type, 1, -8, 8), dlogits({40, 77}, type, 2);
      const auto run = [&](Stream& stream, const Tensor& z, const Tensor& y, const Tensor& dz) {
        const HostValue<float> loss(stream);
        const HostValue<std::int64_t> correct(stream), terms(stream);
        softmax_cross_entropy(stream, {.logits = z,
                                       .labels = y,
                                       .dlogits = dz,
                                       .label_smoothing = smoothing,
                                       .gradient_scale = 512,
                                       .loss_sum = loss.data(),
                                       .correct = correct.data(),
                                       .terms = terms.data()});
        stream.synchronize();
        return std::tuple(*loss, *correct, *terms);
      };
      EXPECT_EQ(run(stream_under_test(), logits.gpu, gpu_labels, dlogits.gpu),
                run(cpu_stream(), logits.cpu, labels, dlogits.cpu));
      EXPECT_TRUE(same_bits(dlogits));
    }
  }
}

TEST(SameBits, Pooling) {
  for (DType type : kComputeTypes) {
    const Both x({2, 7, 7, 24}, type, 1), dx({2, 7, 7, 24}, type, 2), dy({2, 4, 4, 24}, type, 3);
    const PoolingGeometry geometry = {.window = 3, .stride = 2, .padding = 1};
    max_pool_backward(stream_under_test(), {.x = x.gpu, .dy = dy.gpu, .dx = dx.gpu, .geometry = geometry});
    max_pool_backward(cpu_stream(), {.x = x.cpu, .dy = dy.cpu, .dx = dx.cpu, .geometry = geometry});
    EXPECT_TRUE(same_bits(dx));
    average_pool_backward(stream_under_test(), {.dy = dy.gpu, .dx = dx.gpu, .geometry = geometry});
    average_pool_backward(cpu_stream(), {.dy = dy.cpu, .dx = dx.cpu, .geometry = geometry});
    EXPECT_TRUE(same_bits(dx));
    average_pool_forward(stream_under_test(), {.x = x.gpu, .y = dy.gpu, .geometry = geometry});
    average_pool_forward(cpu_stream(), {.x = x.cpu, .y = dy.cpu, .geometry = geometry});
    EXPECT_TRUE(same_bits(dy));
  }
}

/// Master, gradient, working copy and up to three slots, of which a step takes what it has.
struct StepArrays {
  Both master{{kElements}, DType::fp32, 1}, gradient{{kElements}, DType::fp16, 2, -100, 100},
      working{{kElements}, DType::bf16, 3}, slot1{{kElements}, DType::fp32, 4, 0.25F, 2},
      slot2{{kElements}, DType::fp32, 5, 0, 0.25F}, slot3{{kElements}, DType::fp32, 6};

  /// Runs `kernel` with the fields that all steps share and those that `set(step, pick)` adds, on both devices.
  template <class Step, class Kernel, class Set>
  void expect_same(Kernel kernel, Set set) const {
    const OptimizerSegment segment = {.offset = 0, .elements = kElements, .lr_scale = 0.7F, .decay = 0.01F};
    const auto run = [&](Stream& stream, auto pick) {
      Step a;
      a.master = pick(master), a.gradient = pick(gradient), a.working = pick(working);
      a.unscale = 1.0 / 120, a.clip = 0.9F, a.lr = 0.1F;
      a.segments = &segment, a.segment_count = 1;
      const HostValue<std::int64_t> saturated(stream);
      a.saturated = saturated.data();
      set(a, pick);
      kernel(stream, a);
      stream.synchronize();
    };
    run(stream_under_test(), [](const Both& both) { return both.gpu.view(); });
    run(cpu_stream(), [](const Both& both) { return both.cpu; });
    for (const Both* array : {&master, &working, &slot1, &slot2, &slot3}) EXPECT_TRUE(same_bits(*array));
  }
};

TEST(SameBits, OptimizerSteps) {
  const StepArrays arrays;  // each step goes on from where the one before left
  arrays.expect_same<SgdStep>(
      sgd_step, [&](SgdStep& a, auto pick) { a.momentum = pick(arrays.slot3), a.mu = 0.9F, a.nesterov = true; });
  arrays.expect_same<AdamwStep>(adamw_step, [&](AdamwStep& a, auto pick) {
    a.m = pick(arrays.slot3), a.v = pick(arrays.slot1), a.correction1 = 0.271, a.correction2 = 0.002997;
  });
  arrays.expect_same<LionStep>(lion_step, [&](LionStep& a, auto pick) { a.m = pick(arrays.slot3); });
  arrays.expect_same<RmspropStep>(rmsprop_step, [&](RmspropStep& a, auto pick) {
    a.square = pick(arrays.slot1), a.mean = pick(arrays.slot2), a.momentum = pick(arrays.slot3);
    a.mu = 0.9F, a.centered = true, a.decoupled = false;
  });
}

}  // namespace
}  // namespace mpdist::kernels
