// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/kernels/floor.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <limits>
#include <vector>

#include "kernels/cpu/onednn.hpp"
#include "src/core/convert.hpp"
#include "src/core/philox.hpp"

namespace mpdist::benchmarks {
namespace {

namespace onednn = kernels::cpu::onednn;
using Pass = onednn::ConvolutionPass;

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Of all images, in tiles of `tile`.
double tiled_seconds(Stream& stream, onednn::ConvolutionShape shape, std::int64_t images, std::int64_t tile) {
  shape.images = tile;
  const auto& plan = onednn::plan(shape);
  const auto extent = [&](std::int64_t in, std::int64_t kernel) {
    return (in + 2 * shape.padding - kernel) / shape.stride + 1;
  };
  const Tensor x = filled({tile, shape.height, shape.width, shape.in}, shape.operands, 1, 1);
  const Tensor y =
      filled({tile, extent(shape.height, shape.kernel_height), extent(shape.width, shape.kernel_width), shape.out},
             shape.operands, 2, 1);
  const Tensor packed = filled({static_cast<std::int64_t>(plan.packed_bytes() / 4)}, DType::fp32, 3, 0);
  const Tensor bias = filled({shape.out}, DType::fp32, 4, 0);
  void* const scratch = stream.workspace(plan.scratch_bytes() + 64);
  return best_seconds([&] {
    for (std::int64_t i = 0; i < images; i += tile) {
      plan.run(x.raw(), packed.raw(), bias.data<float>(), y.raw(), scratch);
    }
  });
}

double product(Stream& stream, const onednn::MatmulShape& shape) {
  const auto& plan = onednn::plan(shape);
  const Tensor a = filled({shape.rows, shape.depth}, shape.operands, 1, 1);
  const Tensor b = filled({shape.depth, shape.columns}, shape.operands, 2, 1);
  const Tensor c = filled({shape.rows, shape.columns}, shape.result, 3, 0);
  void* const scratch = stream.workspace(plan.scratch_bytes() + 64);
  return best_seconds([&] { plan.run(a.raw(), b.raw(), c.raw(), scratch); });
}

Floor linear_floor(Stream& stream, const MatrixOperation& op, std::int64_t n, DType type) {
  const auto time = [&](std::int64_t rows, std::int64_t columns, std::int64_t depth, bool first, bool second,
                        DType result) {
    return product(stream, {.rows = rows,
                            .columns = columns,
                            .depth = depth,
                            .a_leading = first ? rows : depth,
                            .b_leading = second ? depth : columns,
                            .c_leading = columns,
                            .a_transposed = first,
                            .b_transposed = second,
                            .operands = type,
                            .result = result});
  };
  const double forward =
      std::min(time(n, op.out, op.in, false, true, type), time(op.out, n, op.in, false, true, DType::fp32));
  const double data = op.input_gradient ? time(n, op.in, op.out, false, false, type) : 0;
  return {forward, data + time(op.out, op.in, n, true, false, DType::fp32)};
}

}  // namespace

Tensor filled(Shape shape, DType type, std::uint64_t seed, float scale) {
  Tensor tensor(shape, type, MemoryKind::workspace);
  const RandomKey key{seed, hash_name("benchmark"), 0};
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * (2 * uniform(key.words(0, i)[0]) - 1);
  round_to(values, type, tensor.raw());
  return tensor;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double best_seconds(const std::function<void()>& call) {
  call();
  double best = kNever;
  for (int round = 0; round < 9; ++round) {
    const double start = cpu_seconds();
    call();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

Floor matrix_floor(Stream& stream, const MatrixOperation& operation, std::int64_t images, DType type) {
  const DType operands = onednn::is_native(type) ? type : DType::fp32;
  if (operation.kernel == 0) return linear_floor(stream, operation, images, operands);
  const auto time = [&](Pass pass) {
    const onednn::ConvolutionShape shape{.pass = pass,
                                         .operands = operands,
                                         .height = operation.extent,
                                         .width = operation.extent,
                                         .in = operation.in,
                                         .out = operation.out,
                                         .kernel_height = operation.side(),
                                         .kernel_width = operation.side(),
                                         .padding = operation.kernel / 2};
    return static_cast<double>(images) * convolution_floor(stream, shape, images);
  };
  const double data = operation.input_gradient ? time(Pass::backward_data) : 0;
  return {time(Pass::forward), data + time(Pass::backward_weights)};
}

double convolution_floor(Stream& stream, const onednn::ConvolutionShape& shape, std::int64_t images) {
  double best = kNever;
  for (std::int64_t tile = 1; tile <= 32; tile *= 2) {
    if (images % tile == 0) best = std::min(best, tiled_seconds(stream, shape, images, tile));
  }
  return best / static_cast<double>(images);
}

double copy_floor(double bytes) {
  const std::vector<char> from(static_cast<std::size_t>(bytes / 2) + 1, 1);
  std::vector<char> to(from.size());
  return best_seconds([&] {
    std::memcpy(to.data(), from.data(), from.size());
    asm volatile("" : : "r"(to.data()) : "memory");
  });
}

}  // namespace mpdist::benchmarks
