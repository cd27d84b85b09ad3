// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// A run of elements of the flat arrays, one parameter, with its own learning rate factor and weight decay.
struct OptimizerSegment {
  std::int64_t offset = 0;
  std::int64_t elements = 0;
  float lr_scale = 1;
  float decay = 0;      ///< weight decay coefficient; 0 for norms and biases by default
  bool adapted = true;  ///< whether LARS and LAMB scale its rate by its norms; not for norms and biases
};

namespace checks {

/// What every optimizer step needs of its flat arrays.
inline void optimizer_arrays(std::string_view kernel, const Tensor& master, const Tensor& gradient,
                             const Tensor& working) {
  type_is(kernel, "master", master, DType::fp32);
  compute_type(kernel, "gradient", gradient);
  elements_are(kernel, "gradient", gradient, master.elements());
  if (!working) return;
  compute_type(kernel, "working", working);
  elements_are(kernel, "working", working, master.elements());
  require(working.dtype() != DType::fp32 || working.raw() == master.raw(),
          "{}: an fp32 working copy must be the master itself", kernel);
}

/// [n] FP32 beside the master.
inline void optimizer_slot(std::string_view kernel, std::string_view name, const Tensor& slot, const Tensor& master) {
  type_is(kernel, name, slot, DType::fp32);
  elements_are(kernel, name, slot, master.elements());
}

inline void segments_fit(std::string_view kernel, const OptimizerSegment* segments, std::int64_t count,
                         std::int64_t elements) {
  if (count > 0) pointer(kernel, "segments", segments);
  for (std::int64_t i = 0; i < count; ++i) {
    require(
        segments[i].offset >= 0 && segments[i].elements >= 0 && segments[i].offset + segments[i].elements <= elements,
        "{}: segment {} is [{}, {}) of {} elements", kernel, i, segments[i].offset,
        segments[i].offset + segments[i].elements, elements);
  }
}

}  // namespace checks

}  // namespace mpdist::kernels
