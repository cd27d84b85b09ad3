// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "tests/software_gpu/cudnn/objects.hpp"
#include "tests/software_gpu/cudnn/status.hpp"

namespace software_gpu::cudnn {

struct Descriptor;
using DescriptorPtr = std::shared_ptr<Descriptor>;

/// The value of an attribute, in the vector that its type calls for.
struct Value {
  std::vector<std::int64_t> integers;  ///< integers, booleans and enumerators
  std::vector<double> numbers;
  std::vector<void*> pointers;  ///< also handles
  std::vector<DescriptorPtr> descriptors;
};

enum class Need { required, optional, read_only };

/// What the manual says of one attribute. A rule of type CUDNN_TYPE_FLOAT admits CUDNN_TYPE_DOUBLE as well.
struct Rule {
  cudnnBackendAttributeName_t name;
  const char* text;
  cudnnBackendAttributeType_t type;
  Need need = Need::required;
  std::int64_t least = 1, most = 1;  ///< elements
};

/// One kind of descriptor. Attributes with numbers in [first, last] belong to it; those without a rule are unknown
/// here.
struct Schema {
  cudnnBackendDescriptorType_t type;
  const char* text;
  int first, last;
  std::span<const Rule> rules;
  /// Checks the values, all required ones being there, and makes the object; may set read-only values.
  cudnnStatus_t (*build)(Descriptor&);
};

/// The schema of a kind of descriptor; ends the program for a kind that is unknown here.
const Schema& schema_of(cudnnBackendDescriptorType_t type);

using Object = std::variant<std::monostate, Tensor, Convolution, Pointwise, Reduction, Node,
                            std::shared_ptr<const Graph>, Engine, EngineConfig, Heuristics, Plan, VariantPack>;

struct Descriptor {
  const Schema* schema;
  std::map<int, Value> values;
  bool finalized = false;
  Object object;

  bool has(cudnnBackendAttributeName_t name) const { return values.contains(name); }
  std::int64_t integer(cudnnBackendAttributeName_t name) const { return values.at(name).integers.at(0); }
  std::int64_t integer(cudnnBackendAttributeName_t name, std::int64_t otherwise) const {
    return has(name) ? integer(name) : otherwise;
  }
  double number(cudnnBackendAttributeName_t name, double otherwise) const {
    return has(name) ? values.at(name).numbers.at(0) : otherwise;
  }
  /// The object of a descriptor that is the value of an attribute; null when that one is of another kind.
  template <class T>
  const T* part(cudnnBackendAttributeName_t name) const {
    return std::get_if<T>(&values.at(name).descriptors.at(0)->object);
  }
};

// The builders, one for each kind of descriptor.
cudnnStatus_t build_tensor(Descriptor&);
cudnnStatus_t build_convolution(Descriptor&);
cudnnStatus_t build_pointwise(Descriptor&);
cudnnStatus_t build_reduction(Descriptor&);
cudnnStatus_t build_forward(Descriptor&);
cudnnStatus_t build_backward_data(Descriptor&);
cudnnStatus_t build_backward_filter(Descriptor&);
cudnnStatus_t build_pointwise_operation(Descriptor&);
cudnnStatus_t build_reduction_operation(Descriptor&);
cudnnStatus_t build_graph(Descriptor&);
cudnnStatus_t build_engine(Descriptor&);
cudnnStatus_t build_engine_config(Descriptor&);
cudnnStatus_t build_heuristics(Descriptor&);
cudnnStatus_t build_plan(Descriptor&);
cudnnStatus_t build_variant_pack(Descriptor&);

}  // namespace software_gpu::cudnn
