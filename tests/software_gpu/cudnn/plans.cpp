// SPDX-License-Identifier: Apache-2.0
// Descriptors on the way from a graph to its execution: heuristics, engines, their configurations, plans, variant
// packs.
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/cudnn/descriptor.hpp"
#include "tests/software_gpu/cudnn/engines.hpp"

namespace software_gpu::cudnn {
namespace {

cudnnStatus_t wrong_part(const Descriptor& descriptor) {
  return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE,
              std::string(descriptor.schema->text) + ": a part of another kind");
}

/// A descriptor that is final as soon as its values are there.
DescriptorPtr finished(cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t name, Value value) {
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->schema = &schema_of(type);
  descriptor->values[name] = std::move(value);
  return descriptor;
}

DescriptorPtr make_config(const DescriptorPtr& graph, std::int64_t index) {
  DescriptorPtr engine =
      finished(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, {{}, {}, {}, {graph}});
  engine->values[CUDNN_ATTR_ENGINE_GLOBAL_INDEX].integers = {index};
  build_engine(*engine);
  engine->finalized = true;
  DescriptorPtr config =
      finished(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_ENGINE, {{}, {}, {}, {engine}});
  build_engine_config(*config);
  config->finalized = true;
  return config;
}

}  // namespace

cudnnStatus_t build_engine(Descriptor& descriptor) {
  const auto* graph = descriptor.part<std::shared_ptr<const Graph>>(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
  if (graph == nullptr) return wrong_part(descriptor);
  const std::int64_t index = descriptor.integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  if (index < 0 || index >= engine_count()) {
    return fail(CUDNN_STATUS_BAD_PARAM, "engine " + std::to_string(index) + " of " + std::to_string(engine_count()));
  }
  if (!supports(index, **graph)) {
    return fail(CUDNN_STATUS_NOT_SUPPORTED, "engine " + std::to_string(index) + " does not cover the operation graph");
  }
  descriptor.object = Engine{*graph, index};
  descriptor.values[CUDNN_ATTR_ENGINE_NUMERICAL_NOTE].integers = numerical_notes(index, **graph);
  descriptor.values[CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE].integers = behavior_notes(index);
  descriptor.values[CUDNN_ATTR_ENGINE_KNOB_INFO];
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_engine_config(Descriptor& descriptor) {
  const Engine* engine = descriptor.part<Engine>(CUDNN_ATTR_ENGINECFG_ENGINE);
  if (engine == nullptr) return wrong_part(descriptor);
  descriptor.object = EngineConfig{*engine};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_heuristics(Descriptor& descriptor) {
  const auto* graph = descriptor.part<std::shared_ptr<const Graph>>(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  if (graph == nullptr) return wrong_part(descriptor);
  const auto mode = static_cast<cudnnBackendHeurMode_t>(descriptor.integer(CUDNN_ATTR_ENGINEHEUR_MODE));
  if (mode < CUDNN_HEUR_MODE_INSTANT || mode >= CUDNN_HEUR_MODES_COUNT) {
    return fail(CUDNN_STATUS_BAD_PARAM, "cudnnBackendHeurMode_t " + std::to_string(mode));
  }
  std::vector<DescriptorPtr> results;
  const DescriptorPtr& part = descriptor.values.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).descriptors[0];
  for (const std::int64_t engine : offered(mode, **graph)) results.push_back(make_config(part, engine));
  if (results.empty()) {
    return fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
                "no engine covers the operation graph (types, layouts, " + std::string("alignments or pattern)"));
  }
  descriptor.object = Heuristics{};
  descriptor.values[CUDNN_ATTR_ENGINEHEUR_RESULTS].descriptors = std::move(results);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_plan(Descriptor& descriptor) {
  const EngineConfig* config = descriptor.part<EngineConfig>(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  if (config == nullptr) return wrong_part(descriptor);
  void* handle = descriptor.values.at(CUDNN_ATTR_EXECUTION_PLAN_HANDLE).pointers[0];
  if (!is_live(static_cast<cudnnHandle_t>(handle))) return fail(CUDNN_STATUS_BAD_PARAM, "plan: no valid handle");
  const Plan plan{config->engine, workspace_of(config->engine.index, *config->engine.graph)};
  descriptor.object = plan;
  descriptor.values[CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE].integers = {plan.workspace};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t build_variant_pack(Descriptor& descriptor) {
  const std::vector<std::int64_t>& uids = descriptor.values.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).integers;
  const std::vector<void*>& pointers = descriptor.values.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).pointers;
  if (uids.size() != pointers.size()) {
    return fail(CUDNN_STATUS_BAD_PARAM, "variant pack: " + std::to_string(uids.size()) + " unique ids, " +
                                            std::to_string(pointers.size()) + " pointers");
  }
  VariantPack pack;
  for (std::size_t i = 0; i < uids.size(); ++i) {
    if (!pack.pointers.emplace(uids[i], pointers[i]).second) {
      return fail(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
                  "variant pack: tensor " + std::to_string(uids[i]) + " twice");
    }
  }
  if (descriptor.has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE)) {
    pack.workspace = descriptor.values.at(CUDNN_ATTR_VARIANT_PACK_WORKSPACE).pointers[0];
  }
  descriptor.object = std::move(pack);
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace software_gpu::cudnn
