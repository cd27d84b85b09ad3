// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "benchmarks/kernels/operands.hpp"
#include "kernels/adamw_step.hpp"
#include "kernels/lamb_step.hpp"
#include "kernels/lars_step.hpp"
#include "kernels/lion_step.hpp"
#include "kernels/rmsprop_step.hpp"
#include "kernels/sgd_step.hpp"

/// Argument structs of the optimizer steps, for measuring and for verifying.
namespace mpdist::benchmarks {

inline constexpr double kUnscale = 1.0 / 65536 / 120;
inline constexpr float kDecay = 1e-2F, kRate = 1e-3F, kMu = 0.9F;

/// Fields that every optimizer step has, beside its slots. `type` is that of gradient and working copy.
template <class Step>
Step optimizer_step(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  std::vector<kernels::OptimizerSegment> table;
  for (std::int64_t i = 0; i < segments; ++i) {
    const std::int64_t begin = n * i / segments, end = n * (i + 1) / segments;
    table.push_back({.offset = begin, .elements = end - begin, .lr_scale = 1, .decay = kDecay});
  }
  Step a;
  a.master = operands.in_out({n}, DType::fp32, 0.25F);
  a.gradient = operands.in({n}, type, 4);
  if (type != DType::fp32) a.working = operands.out({n}, type);
  a.unscale = kUnscale;
  a.lr = kRate;
  a.segments = operands.table(std::move(table));
  a.segment_count = segments;
  a.saturated = operands.result<std::int64_t>();
  return a;
}

inline kernels::SgdStep sgd(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  auto a = optimizer_step<kernels::SgdStep>(operands, n, segments, type);
  a.momentum = operands.out({n}, DType::fp32);
  a.mu = kMu;
  return a;
}

/// AdamW and LAMB.
template <class Step>
Step adam(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  auto a = optimizer_step<Step>(operands, n, segments, type);
  a.m = operands.out({n}, DType::fp32);
  a.v = operands.out({n}, DType::fp32);
  a.correction1 = a.correction2 = 0.5;
  return a;
}

inline kernels::RmspropStep rmsprop(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  auto a = optimizer_step<kernels::RmspropStep>(operands, n, segments, type);
  a.square = operands.out({n}, DType::fp32);
  a.momentum = operands.out({n}, DType::fp32);
  a.mu = kMu;
  return a;
}

inline kernels::LionStep lion(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  auto a = optimizer_step<kernels::LionStep>(operands, n, segments, type);
  a.m = operands.out({n}, DType::fp32);
  return a;
}

inline kernels::LarsStep lars(Operands& operands, std::int64_t n, std::int64_t segments, DType type) {
  auto a = optimizer_step<kernels::LarsStep>(operands, n, segments, type);
  a.momentum = operands.out({n}, DType::fp32);
  a.mu = kMu;
  return a;
}

}  // namespace mpdist::benchmarks
