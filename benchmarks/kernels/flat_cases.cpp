// SPDX-License-Identifier: Apache-2.0
// Cases on flat arrays: what a step does to its parameters and gradients.
#include "benchmarks/kernels/cases.hpp"
#include "benchmarks/kernels/optimizer_steps.hpp"
#include "kernels/add.hpp"
#include "kernels/cast.hpp"
#include "kernels/concat.hpp"
#include "kernels/digest.hpp"
#include "kernels/dropout.hpp"
#include "kernels/ema_update.hpp"
#include "kernels/gelu.hpp"
#include "kernels/leaf_round.hpp"
#include "kernels/relu.hpp"

namespace mpdist::benchmarks {
namespace {

using namespace kernels;

/// A case on `elements` elements that moves so many bytes for each: `arguments` makes the argument struct.
template <class Make, class Kernel>
Case flat(const char* name, std::int64_t elements, double bytes_each, Kernel kernel, Make arguments) {
  return {.name = name,
          .shape = fmt::format("{}", elements),
          .bytes = bytes_each * static_cast<double>(elements),
          .make = [kernel, arguments](Operands& operands) -> std::function<void()> {
            return [stream = &operands.stream(), kernel, a = arguments(operands)] { kernel(*stream, a); };
          }};
}

std::vector<SegmentSpan> spans(const Sizes& sizes) {
  std::vector<SegmentSpan> table;
  for (std::int64_t i = 0; i < sizes.segments; ++i) {
    const std::int64_t begin = sizes.elements * i / sizes.segments, end = sizes.elements * (i + 1) / sizes.segments;
    table.push_back({begin, end - begin});
  }
  return table;
}

double width_of(DType type) {
  return static_cast<double>(size_of(type));
}

}  // namespace

std::vector<Case> optimizer_cases(const Sizes& sizes, DType type) {
  const std::int64_t n = sizes.elements, s = sizes.segments;
  const double width = width_of(type), working = type == DType::fp32 ? 0 : width;
  return {
      flat("sgd_step", n, 16 + width + working, sgd_step, [=](Operands& o) { return sgd(o, n, s, type); }),
      flat("adamw_step", n, 24 + width + working, adamw_step,
           [=](Operands& o) { return adam<AdamwStep>(o, n, s, type); }),
      flat("rmsprop_step", n, 24 + width + working, rmsprop_step, [=](Operands& o) { return rmsprop(o, n, s, type); }),
      flat("lion_step", n, 16 + width + working, lion_step, [=](Operands& o) { return lion(o, n, s, type); }),
      flat("lars_step", n, 16 + width + working, lars_step, [=](Operands& o) { return lars(o, n, s, type); }),
      flat("lamb_step", n, 24 + width + working, lamb_step,
           [=](Operands& o) { return adam<LambStep>(o, n, s, type); })};
}

std::vector<Case> gradient_cases(const Sizes& sizes, DType type) {
  const std::int64_t n = sizes.elements;
  const double width = width_of(type);
  return {flat("gradient_statistics", n, width, gradient_statistics,
               [=](Operands& o) {
                 return GradientStatistics{o.in({n}, type), o.table(spans(sizes)), sizes.segments,
                                           o.result<TensorStatistics>(sizes.segments)};
               }),
          flat("leaf_round", n, 4 + width, leaf_round,
               [=](Operands& o) {
                 return LeafRound{o.in({n}, DType::fp32), o.out({n}, type), 1, o.result<std::int64_t>()};
               }),
          flat("add", n, 3 * width, add, [=](Operands& o) {
            const Tensor left = o.in({n}, type), right = o.in_out({n}, type);
            return Add{left, right, right};
          })};
}

std::vector<Case> elementwise_cases(const Sizes& sizes, DType type) {
  const std::int64_t n = sizes.elements, half_n = n / 2, columns = 256;
  const double width = width_of(type);
  const Shape rows{half_n / columns, columns};
  return {flat("cast", n, 4 + width, cast,
               [=](Operands& o) {
                 return Cast{o.in({n}, DType::fp32), o.out({n}, type)};
               }),
          flat("digest", n, width, digest,
               [=](Operands& o) { return Digest{.tensor = o.in({n}, type), .digest = o.result<std::uint64_t>()}; }),
          flat("exponent_histogram", n, width, exponent_histogram,
               [=](Operands& o) {
                 return ExponentHistogram{o.in({n}, type), o.table(spans(sizes)), sizes.segments,
                                          o.result<ExponentCounts>(sizes.segments)};
               }),
          flat("ema_update", n, 12, ema_update,
               [=](Operands& o) {
                 return EmaUpdate{o.in_out({n}, DType::fp32), o.in({n}, DType::fp32)};
               }),
          flat("relu_forward", n, 2 * width, relu_forward,
               [=](Operands& o) {
                 return ReluForward{o.in({n}, type), o.out({n}, type)};
               }),
          flat("relu_backward", n, 3 * width, relu_backward,
               [=](Operands& o) {
                 return ReluBackward{o.in({n}, type), o.in({n}, type), o.out({n}, type)};
               }),
          flat("gelu_forward", n, 2 * width, gelu_forward,
               [=](Operands& o) {
                 return GeluForward{o.in({n}, type), o.out({n}, type)};
               }),
          flat("gelu_backward", n, 3 * width, gelu_backward,
               [=](Operands& o) {
                 return GeluBackward{o.in({n}, type), o.in({n}, type), o.out({n}, type)};
               }),
          flat("dropout", rows.elements(), 2 * width, dropout,
               [=](Operands& o) {
                 return Dropout{.x = o.in(rows, type), .y = o.out(rows, type), .key = {1, 2, 3}};
               }),
          flat("concat_forward", rows.elements(), 2 * width, concat_forward,
               [=](Operands& o) {
                 return ConcatForward{o.in(rows, type), o.out({rows[0], 2 * columns}, type), columns};
               }),
          flat("concat_backward", rows.elements(), 2 * width, concat_backward, [=](Operands& o) {
            return ConcatBackward{o.in({rows[0], 2 * columns}, type), o.out(rows, type), columns};
          })};
}

}  // namespace mpdist::benchmarks
