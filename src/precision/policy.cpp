// SPDX-License-Identifier: Apache-2.0
#include "src/precision/policy.hpp"

#include <algorithm>
#include <array>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

enum class Place : unsigned char { compute, fp32 };

struct Rule {
  OperationClass operation;
  Place operands, result;
};

constexpr std::array kRules{
    Rule{OperationClass::matmul, Place::compute, Place::compute},
    Rule{OperationClass::convolution, Place::compute, Place::compute},
    Rule{OperationClass::recurrent, Place::compute, Place::compute},
    Rule{OperationClass::embedding, Place::compute, Place::compute},
    Rule{OperationClass::attention, Place::compute, Place::compute},
    Rule{OperationClass::activation, Place::compute, Place::compute},
    Rule{OperationClass::softmax, Place::fp32, Place::compute},
    Rule{OperationClass::loss, Place::fp32, Place::fp32},
    Rule{OperationClass::norm, Place::fp32, Place::compute},
    Rule{OperationClass::reduction, Place::fp32, Place::compute},
    Rule{OperationClass::transcendental, Place::fp32, Place::compute},
};

const Rule& rule_of(OperationClass operation) {
  const auto rule = std::find_if(kRules.begin(), kRules.end(), [&](const Rule& r) { return r.operation == operation; });
  require(rule != kRules.end(), "policy: no rule for operation class {}", static_cast<int>(operation));
  return *rule;
}

}  // namespace

DType Policy::operation_type(OperationClass operation) const {
  return rule_of(operation).operands == Place::compute ? compute : DType::fp32;
}

DType Policy::result_type(OperationClass operation) const {
  return rule_of(operation).result == Place::compute ? compute : DType::fp32;
}

DType Policy::widest(std::initializer_list<DType> inputs) {
  require(inputs.size() > 0, "policy: the widest type of no inputs");
  DType widest = *inputs.begin();
  for (DType type : inputs) {
    require(is_compute_type(type), "policy: expected fp32, fp16 or bf16, found {}", name_of(type));
    if (type != widest) widest = DType::fp32;
  }
  return widest;
}

}  // namespace mpdist::precision
