// SPDX-License-Identifier: Apache-2.0
// The entry points of the backend API: generic, as the schemas say.
#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cudnn/descriptor.hpp"
#include "tests/software_gpu/cudnn/execute.hpp"

namespace software_gpu::cudnn {
namespace {

/// Descriptors as the program holds them. Parents share their parts: a program may destroy those as soon as it has set
/// them, and heuristics replace what a program's descriptor stands for.
std::unordered_map<void*, DescriptorPtr>& descriptors() {
  static auto* const all = new std::unordered_map<void*, DescriptorPtr>;
  return *all;
}

DescriptorPtr find(cudnnBackendDescriptor_t handle) {
  const auto found = descriptors().find(handle);
  return found == descriptors().end() ? nullptr : found->second;
}

std::string label(const Descriptor& descriptor, int name) {
  for (const Rule& rule : descriptor.schema->rules) {
    if (rule.name == name) return rule.text;
  }
  return std::string(descriptor.schema->text) + " attribute " + std::to_string(name);
}

/// The rule of an attribute; null when it belongs to another kind of descriptor. Ends the program when it is this
/// kind's, but unknown here.
const Rule* rule_of(const Descriptor& descriptor, int name) {
  for (const Rule& rule : descriptor.schema->rules) {
    if (rule.name == name) return &rule;
  }
  if (name >= descriptor.schema->first && name <= descriptor.schema->last) unsupported(label(descriptor, name));
  return nullptr;
}

cudnnStatus_t check_access(const Descriptor& descriptor, const Rule* rule, int name, cudnnBackendAttributeType_t type,
                           bool writes) {
  if (rule == nullptr || (writes && rule->need == Need::read_only)) {
    return fail(CUDNN_STATUS_BAD_PARAM, label(descriptor, name) + " cannot be set or asked for here");
  }
  const bool number = rule->type == CUDNN_TYPE_FLOAT && type == CUDNN_TYPE_DOUBLE;
  if (type != rule->type && !number) {
    return fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, label(descriptor, name) + " is of attribute type " +
                                                           std::to_string(rule->type) + ", not " +
                                                           std::to_string(type));
  }
  return CUDNN_STATUS_SUCCESS;
}

template <class From, class To>
void append(const void* array, std::int64_t count, std::vector<To>& to) {
  const auto* from = static_cast<const From*>(array);
  for (std::int64_t i = 0; i < count; ++i) to.push_back(static_cast<To>(from[i]));
}

template <class To, class From>
void copy_out(const std::vector<From>& from, std::int64_t count, void* array) {
  auto* to = static_cast<To*>(array);
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[static_cast<std::size_t>(i)]);
}

cudnnStatus_t read_parts(const Descriptor& parent, const Rule& rule, std::int64_t count, const void* array,
                         Value& value) {
  const auto* handles = static_cast<const cudnnBackendDescriptor_t*>(array);
  for (std::int64_t i = 0; i < count; ++i) {
    const DescriptorPtr part = find(handles[i]);
    if (part == nullptr)
      return fail(CUDNN_STATUS_BAD_PARAM, label(parent, rule.name) + ": no descriptor, or a destroyed one");
    if (!part->finalized) {
      return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, label(parent, rule.name) + ": the descriptor is not finalized");
    }
    value.descriptors.push_back(part);
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t read_value(const Descriptor& descriptor, const Rule& rule, cudnnBackendAttributeType_t type,
                         std::int64_t count, const void* array, Value& value) {
  switch (type) {
    case CUDNN_TYPE_INT64:
      append<std::int64_t>(array, count, value.integers);
      break;
    case CUDNN_TYPE_BOOLEAN:
      append<bool>(array, count, value.integers);
      break;
    case CUDNN_TYPE_FLOAT:
      append<float>(array, count, value.numbers);
      break;
    case CUDNN_TYPE_DOUBLE:
      append<double>(array, count, value.numbers);
      break;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
      append<void*>(array, count, value.pointers);
      break;
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return read_parts(descriptor, rule, count, array, value);
    default:  // all others in the schemas are enumerations
      append<int>(array, count, value.integers);
  }
  return CUDNN_STATUS_SUCCESS;
}

/// The program's descriptors, created and not finalized, come to stand for the parts.
cudnnStatus_t write_parts(const Value& value, std::int64_t count, void* array) {
  const auto* handles = static_cast<const cudnnBackendDescriptor_t*>(array);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto target = descriptors().find(handles[i]);
    const DescriptorPtr& part = value.descriptors[static_cast<std::size_t>(i)];
    if (target == descriptors().end())
      return fail(CUDNN_STATUS_BAD_PARAM, "a result needs a descriptor created before");
    if (target->second->schema != part->schema) {
      return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, std::string("a result needs a ") + part->schema->text);
    }
    target->second = part;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t write_value(const Rule& rule, const Value& value, std::int64_t room, std::int64_t* written, void* array) {
  const std::int64_t size =
      static_cast<std::int64_t>(std::max(std::max(value.integers.size(), value.numbers.size()),
                                         std::max(value.pointers.size(), value.descriptors.size())));
  const std::int64_t count = std::min(size, room);
  if (written != nullptr) *written = array == nullptr || room == 0 ? size : count;
  if (array == nullptr) return CUDNN_STATUS_SUCCESS;
  switch (rule.type) {
    case CUDNN_TYPE_INT64:
      copy_out<std::int64_t>(value.integers, count, array);
      break;
    case CUDNN_TYPE_BOOLEAN:
      copy_out<bool>(value.integers, count, array);
      break;
    case CUDNN_TYPE_FLOAT:
      copy_out<float>(value.numbers, count, array);
      break;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
      copy_out<void*>(value.pointers, count, array);
      break;
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return write_parts(value, count, array);
    default:
      copy_out<int>(value.integers, count, array);
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
}  // namespace software_gpu::cudnn

using namespace software_gpu;
using namespace software_gpu::cudnn;

extern "C" {

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* handle) {
  std::lock_guard lock(mutex());
  if (handle == nullptr) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "cudnnBackendCreateDescriptor: no result");
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->schema = &schema_of(type);
  *handle = new char;  // an address of its own, nothing behind it
  descriptors()[*handle] = std::move(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
  std::lock_guard lock(mutex());
  if (descriptors().erase(handle) == 0) {
    return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendDestroyDescriptor: no descriptor, or a destroyed one");
  }
  delete static_cast<char*>(handle);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* array) {
  std::lock_guard lock(mutex());
  const DescriptorPtr descriptor = find(handle);
  if (descriptor == nullptr) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendSetAttribute: no descriptor");
  if (descriptor->finalized) {
    return fail(CUDNN_STATUS_NOT_INITIALIZED, label(*descriptor, name) + ": the descriptor is finalized already");
  }
  const Rule* rule = rule_of(*descriptor, name);
  cudnnStatus_t status = check_access(*descriptor, rule, name, type, true);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (array == nullptr) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, label(*descriptor, name) + ": no values");
  if (count < rule->least || count > rule->most) {
    return fail(CUDNN_STATUS_BAD_PARAM, label(*descriptor, name) + " has from " + std::to_string(rule->least) + " to " +
                                            std::to_string(rule->most) + " elements, not " + std::to_string(count));
  }
  Value value;
  status = read_value(*descriptor, *rule, type, count, array, value);
  if (status == CUDNN_STATUS_SUCCESS) descriptor->values[name] = std::move(value);
  return status;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room, int64_t* written, void* array) {
  std::lock_guard lock(mutex());
  const DescriptorPtr descriptor = find(handle);
  if (descriptor == nullptr) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendGetAttribute: no descriptor");
  if (!descriptor->finalized) {
    return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, label(*descriptor, name) + ": the descriptor is not finalized");
  }
  const Rule* rule = rule_of(*descriptor, name);
  const cudnnStatus_t status = check_access(*descriptor, rule, name, type, false);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  const auto value = descriptor->values.find(name);
  if (value == descriptor->values.end()) return fail(CUDNN_STATUS_BAD_PARAM, label(*descriptor, name) + " is not set");
  if (type != rule->type) unsupported(label(*descriptor, name) + " asked for as CUDNN_TYPE_DOUBLE");
  return write_value(*rule, value->second, room, written, array);
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  std::lock_guard lock(mutex());
  const DescriptorPtr descriptor = find(handle);
  if (descriptor == nullptr) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendFinalize: no descriptor");
  if (descriptor->finalized) return CUDNN_STATUS_SUCCESS;
  for (const Rule& rule : descriptor->schema->rules) {
    if (rule.need == Need::required && !descriptor->has(rule.name)) {
      return fail(CUDNN_STATUS_BAD_PARAM, std::string(rule.text) + " is not set");
    }
  }
  const cudnnStatus_t status = descriptor->schema->build(*descriptor);
  descriptor->finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle) {
  std::lock_guard lock(mutex());
  if (!is_live(handle)) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendExecute: no valid handle");
  const DescriptorPtr plan = find(plan_handle), pack = find(pack_handle);
  if (plan == nullptr || pack == nullptr) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendExecute: no descriptor");
  if (!plan->finalized || !pack->finalized) {
    return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "cudnnBackendExecute: plan or variant pack is not finalized");
  }
  const Plan* what = std::get_if<Plan>(&plan->object);
  const VariantPack* where = std::get_if<VariantPack>(&pack->object);
  if (what == nullptr || where == nullptr) {
    return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "cudnnBackendExecute: not a plan and a variant pack");
  }
  const cudnnStatus_t status = check_call(*what, *where);
  if (status == CUDNN_STATUS_SUCCESS) launch(stream_of(handle), *what, *where);
  return status;
}
}
