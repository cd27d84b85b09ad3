// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/tensor.hpp"

namespace mpdist {

/// What a parameter is: decides weight decay (weights only, by default) and which copy an operation reads.
enum class ParameterRole : unsigned char { weight, bias, norm };

/// How a parameter starts. he: normal, variance 2/fan_in (He et al. 2015). glorot: uniform, limit
/// sqrt(6/(fan_in+fan_out)) (Glorot & Bengio 2010). Draws are keyed by seed, parameter name and element.
enum class Initializer : unsigned char { zeros, ones, he_normal, glorot_uniform };

/// One named parameter: a slice of the store's flat arrays.
struct Parameter {
  std::string name;   ///< "conv2.weight"
  std::string layer;  ///< "conv2"
  Shape shape;        ///< weights: [out, in] or [out, kernel_h, kernel_w, in/groups]
  ParameterRole role = ParameterRole::weight;
  Initializer initializer = Initializer::zeros;
  std::int64_t fan_in = 1, fan_out = 1;
  bool frozen = false;      ///< no gradient, no update
  int index = 0;            ///< place in gradient order, set by finalize()
  std::int64_t offset = 0;  ///< first element in the flat arrays, a multiple of kParameterAlignment
  std::int64_t elements() const { return shape.elements(); }
};

/// Running statistics of one norm layer, FP32: running = (1-momentum)*running + momentum*(mean over the shards of a
/// batch).
struct Statistic {
  std::string name;  ///< "stem.norm.mean"
  std::int64_t elements = 0;
  float initial = 0;
  float momentum = 0.1F;
  std::int64_t offset = 0;  ///< first element in the flat array
};

inline constexpr std::int64_t kParameterAlignment = 32;  ///< elements: slices stay 64-byte aligned in 16-bit types

/// Flat arrays of one layout, in the order in which gradients become ready (the reverse of the order of registration):
/// FP32 master and working copy in the compute type. Parameters are named views; the padding between them stays zero.
/// With FP32 compute the working copy is the master. Frozen parameters lie behind all others, so gradients, which
/// belong to the reducer, and optimizer slots are arrays of the same layout that end before them.
class ParameterStore {
 public:
  /// Registers a parameter in forward order; the reference stays valid. Names are unique.
  Parameter& add(std::string layer, std::string leaf, Shape shape, ParameterRole role, Initializer initializer,
                 std::int64_t fan_in = 1, std::int64_t fan_out = 1);

  /// Registers running statistics; the reference stays valid.
  Statistic& add_statistic(std::string layer, std::string leaf, std::int64_t elements, float initial, float momentum);

  /// Before finalize(): freezes the parameters whose names match (name_pattern.hpp). Returns how many match.
  int freeze(std::string_view pattern);

  /// Lays the arrays out in memory of `pool` and fills the masters by their initializers; the working copy is written
  /// by the caller's kernel.
  void finalize(DType compute, std::uint64_t seed, Pool& pool = Pool::host());

  /// In the order of registration, which is that of the forward pass.
  const std::deque<Parameter>& registered() const { return registered_; }
  /// In gradient order, then those that are frozen.
  const std::vector<const Parameter*>& parameters() const { return ordered_; }
  /// In gradient order, without those that are frozen.
  std::span<const Parameter* const> trainable_parameters() const { return std::span(ordered_).first(trainable_count_); }
  const Parameter* find(std::string_view name) const;  ///< null when there is none

  const std::deque<Statistic>& statistics_layout() const { return statistics_layout_; }
  /// [sum of elements] FP32, all running statistics; empty for a model without norms.
  const Tensor& statistics() const { return statistics_; }
  static Tensor slice(const Tensor& flat, const Statistic& s) { return flat.rows(s.offset, s.offset + s.elements); }

  std::int64_t elements() const { return elements_; }                      ///< of a flat array, with padding
  std::int64_t trainable_elements() const { return trainable_elements_; }  ///< of a gradient or slot, with padding
  std::int64_t trainable() const { return trainable_; }                    ///< without padding
  std::int64_t frozen() const { return frozen_; }                          ///< without padding
  DType compute_type() const { return compute_; }
  Pool& pool() const { return *pool_; }  ///< of the flat arrays
  /// Zeros beside the flat arrays: optimizer slots, averages.
  Tensor zeros(std::int64_t elements, MemoryKind kind) const;

  const Tensor& master() const { return master_; }    ///< [elements] FP32
  const Tensor& working() const { return working_; }  ///< [elements] compute type
  Tensor master(const Parameter& p) const { return slice(master_, p); }
  Tensor working(const Parameter& p) const { return slice(working_, p); }
  /// The view of one parameter in any flat array of this layout, shaped as the parameter.
  static Tensor slice(const Tensor& flat, const Parameter& p);

 private:
  void lay_out(bool frozen);
  Tensor initial_masters(std::uint64_t seed) const;
  Tensor initial_statistics() const;

  std::deque<Parameter> registered_;
  std::vector<const Parameter*> ordered_;
  std::size_t trainable_count_ = 0;
  std::int64_t elements_ = 0, trainable_elements_ = 0, trainable_ = 0, frozen_ = 0;
  DType compute_ = DType::fp32;
  Pool* pool_ = &Pool::host();
  std::deque<Statistic> statistics_layout_;
  Tensor master_, working_, statistics_;
};

}  // namespace mpdist
