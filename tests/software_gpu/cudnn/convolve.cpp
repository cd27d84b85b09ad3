// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/cudnn/convolve.hpp"

#include <algorithm>
#include <numeric>

#include "tests/software_gpu/core/stream.hpp"

namespace software_gpu::cudnn {
namespace {

// n images; h, w, c of the image; p, q, k of the response; r, s of the filter; cg, kg channels of a group.
class Convolver {
 public:
  Convolver(const Node& node, const Arithmetic& arithmetic)
      : node_(node),
        arithmetic_(arithmetic),
        n_(node.image().dims[0]),
        c_(node.image().dims[1]),
        h_(node.image().dims[2]),
        w_(node.image().dims[3]),
        k_(node.filter().dims[0]),
        cg_(node.filter().dims[1]),
        r_(node.filter().dims[2]),
        s_(node.filter().dims[3]),
        p_(node.response().dims[2]),
        q_(node.response().dims[3]),
        kg_(k_ / node.groups()) {}

  Floats forward(const Floats& x, const Floats& filter) const {
    const Floats by_tap = outputs_last(filter);
    const std::vector<std::int64_t> order = terms(r_ * s_ * cg_);
    Floats y(static_cast<std::size_t>(n_ * p_ * q_ * k_));
    for (std::int64_t place = 0; place < n_ * p_ * q_; ++place) {
      for (std::int64_t group = 0; group < node_.groups(); ++group) {
        forward_at(place, group, x, by_tap, order, &y[index(place * k_ + group * kg_)]);
      }
    }
    return y;
  }

  Floats backward_data(const Floats& dy, const Floats& filter) const {
    const std::vector<std::int64_t> order = terms(r_ * s_ * kg_);
    Floats dx(static_cast<std::size_t>(n_ * h_ * w_ * c_));
    for (std::int64_t place = 0; place < n_ * h_ * w_; ++place) {
      for (std::int64_t group = 0; group < node_.groups(); ++group) {
        backward_data_at(place, group, dy, filter, order, &dx[index(place * c_ + group * cg_)]);
      }
    }
    return dx;
  }

  Floats backward_filter(const Floats& dy, const Floats& x) const {
    Floats dw(static_cast<std::size_t>(k_ * r_ * s_ * cg_));
    std::int64_t done = 0;
    for (const std::int64_t place : terms(n_ * p_ * q_)) {
      backward_filter_at(place, dy, x, dw);
      if (++done % (p_ * q_) == 0) round_partial_sums(dw.data(), static_cast<std::int64_t>(dw.size()));
    }
    return dw;
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  /// The order in which the terms of a sum are added.
  std::vector<std::int64_t> terms(std::int64_t count) const {
    std::vector<std::int64_t> order(index(count));
    std::iota(order.begin(), order.end(), 0);
    if (arithmetic_.shuffled) std::shuffle(order.begin(), order.end(), random());
    return order;
  }

  void round_partial_sums(float* sums, std::int64_t count) const {
    if (!arithmetic_.rounds_partial_sums) return;
    for (std::int64_t i = 0; i < count; ++i) sums[i] = rounded(node_.inputs[0].type, sums[i]);
  }

  /// [k, r, s, cg] to [groups, r, s, cg, kg].
  Floats outputs_last(const Floats& filter) const {
    Floats to(filter.size());
    const std::int64_t taps = r_ * s_ * cg_;
    for (std::int64_t k = 0; k < k_; ++k) {
      const std::int64_t group = k / kg_;
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        to[index((group * taps + tap) * kg_ + k % kg_)] = filter[index(k * taps + tap)];
      }
    }
    return to;
  }

  /// Where in the image a tap of the filter meets a place of the response; below 0: in the padding.
  std::int64_t image_place(std::int64_t place, std::int64_t r, std::int64_t s) const {
    const Axis &v = node_.convolution.vertical, &o = node_.convolution.horizontal;
    const std::int64_t row = place / q_ % p_ * v.stride + r * v.dilation - v.before;
    const std::int64_t column = place % q_ * o.stride + s * o.dilation - o.before;
    if (row < 0 || row >= h_ || column < 0 || column >= w_) return -1;
    return (place / (p_ * q_) * h_ + row) * w_ + column;
  }

  /// Where in the response a tap of the filter meets a place of the image; below 0: nowhere.
  std::int64_t response_place(std::int64_t place, std::int64_t r, std::int64_t s) const {
    const Axis &v = node_.convolution.vertical, &o = node_.convolution.horizontal;
    const std::int64_t row = place / w_ % h_ + v.before - r * v.dilation;
    const std::int64_t column = place % w_ + o.before - s * o.dilation;
    if (row < 0 || column < 0 || row % v.stride != 0 || column % o.stride != 0) return -1;
    if (row / v.stride >= p_ || column / o.stride >= q_) return -1;
    return (place / (h_ * w_) * p_ + row / v.stride) * q_ + column / o.stride;
  }

  void forward_at(std::int64_t place, std::int64_t group, const Floats& x, const Floats& by_tap,
                  const std::vector<std::int64_t>& order, float* sums) const {
    std::int64_t done = 0, tap = -1, from = -1;
    for (const std::int64_t term : order) {
      if (term / cg_ != tap) {
        tap = term / cg_;
        from = image_place(place, tap / s_, tap % s_);
      }
      if (from >= 0) {
        const float factor = x[index(from * c_ + group * cg_ + term - tap * cg_)];
        const float* const row = &by_tap[index((group * r_ * s_ * cg_ + term) * kg_)];
        for (std::int64_t k = 0; k < kg_; ++k) sums[k] += factor * row[k];
      }
      if (++done % cg_ == 0) round_partial_sums(sums, kg_);
    }
  }

  void backward_data_at(std::int64_t place, std::int64_t group, const Floats& dy, const Floats& filter,
                        const std::vector<std::int64_t>& order, float* sums) const {
    std::int64_t done = 0, tap = -1, from = -1;
    for (const std::int64_t term : order) {
      if (term / kg_ != tap) {
        tap = term / kg_;
        from = response_place(place, tap / s_, tap % s_);
      }
      if (from >= 0) {
        const std::int64_t k = group * kg_ + term - tap * kg_;
        const float factor = dy[index(from * k_ + k)];
        const float* const row = &filter[index((k * r_ * s_ + tap) * cg_)];
        for (std::int64_t c = 0; c < cg_; ++c) sums[c] += factor * row[c];
      }
      if (++done % kg_ == 0) round_partial_sums(sums, cg_);
    }
  }

  void backward_filter_at(std::int64_t place, const Floats& dy, const Floats& x, Floats& dw) const {
    for (std::int64_t tap = 0; tap < r_ * s_; ++tap) {
      const std::int64_t from = image_place(place, tap / s_, tap % s_);
      if (from < 0) continue;
      for (std::int64_t k = 0; k < k_; ++k) {
        const float factor = dy[index(place * k_ + k)];
        const float* const row = &x[index(from * c_ + k / kg_ * cg_)];
        float* const sums = &dw[index((k * r_ * s_ + tap) * cg_)];
        for (std::int64_t c = 0; c < cg_; ++c) sums[c] += factor * row[c];
      }
    }
  }

  const Node& node_;
  const Arithmetic& arithmetic_;
  const std::int64_t n_, c_, h_, w_, k_, cg_, r_, s_, p_, q_, kg_;
};

Floats prepared(const Floats& operand, Operands how) {
  Floats result = operand;
  if (how == Operands::tf32) std::transform(result.begin(), result.end(), result.begin(), rounded_to_tf32);
  if (how == Operands::fp16) {
    for (float& value : result) value = rounded(Element::fp16, value);
  }
  return result;
}

}  // namespace

Floats convolve(const Node& node, const Floats& first, const Floats& second, const Arithmetic& arithmetic) {
  const Floats a = prepared(first, arithmetic.operands), b = prepared(second, arithmetic.operands);
  const Convolver convolver(node, arithmetic);
  if (node.kind == Kind::forward) return convolver.forward(a, b);
  return node.kind == Kind::backward_data ? convolver.backward_data(a, b) : convolver.backward_filter(a, b);
}

}  // namespace software_gpu::cudnn
