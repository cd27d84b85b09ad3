// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <initializer_list>

#include "src/core/dtype.hpp"

namespace mpdist::precision {

/// Kinds of operations that the policy tells apart.
enum class OperationClass : unsigned char {
  matmul,  ///< linear layers and plain products
  convolution,
  recurrent,  ///< LSTM and GRU cells
  embedding,
  attention,   ///< the two products of attention
  activation,  ///< ReLU, GELU, pooling, dropout: one element (or a maximum) in, one out
  softmax,     ///< and log-softmax
  loss,
  norm,  ///< batch, layer and group norm with their statistics
  reduction,
  transcendental,  ///< exp, log, pow
};

/// What runs in which type (Micikevicius et al. 2018, section 3; PyTorch's autocast lists): one table, in policy.cpp.
/// Accumulation is FP32 everywhere.
struct Policy {
  DType compute = DType::fp32;

  /// The type that the operands have when the arithmetic sees them: the compute type, or FP32 inside the kernel.
  DType operation_type(OperationClass operation) const;
  /// The type of the stored result: the compute type, but FP32 for a loss.
  DType result_type(OperationClass operation) const;
  /// Add, multiply and concatenate run in the widest type of their inputs; FP16 with BF16 is FP32, which holds both.
  /// Throws InvalidArgument for an empty list or a type that no forward pass computes in.
  static DType widest(std::initializer_list<DType> inputs);
};

}  // namespace mpdist::precision
