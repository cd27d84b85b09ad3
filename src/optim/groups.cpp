// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "src/core/error.hpp"
#include "src/core/name_pattern.hpp"
#include "src/optim/optimizer.hpp"

namespace mpdist::optim {

void GroupOptions::describe(Schema& schema) {
  schema.key("pattern", pattern, {.help = "names of parameters; * stands for any characters", .required = true});
  schema.key("lr_scale", lr_scale, {.help = "factor on the learning rate", .minimum = 0});
  schema.key("weight_decay", weight_decay,
             {.help = "instead of optimizer.weight_decay, on biases and norms too; \"default\": as without the group",
              .minimum = 0,
              .words = {"default"}});
}

const GroupOptions& group_of(const TableList::Element& element) {
  return dynamic_cast<const GroupOptions&>(*element.options);
}

std::vector<kernels::OptimizerSegment> make_segments(const ParameterStore& store, const OptimizerOptions& common) {
  std::vector<kernels::OptimizerSegment> segments;
  for (const Parameter* p : store.trainable_parameters()) {
    kernels::OptimizerSegment segment{.offset = p->offset, .elements = p->elements()};
    segment.adapted = p->role == ParameterRole::weight;
    if (segment.adapted) segment.decay = static_cast<float>(common.weight_decay);
    const auto& groups = common.groups.elements;
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const TableList::Element& element) {
      return matches_pattern(group_of(element).pattern, p->name);
    });
    if (group != groups.end()) {
      const GroupOptions& own = group_of(*group);
      segment.lr_scale = static_cast<float>(own.lr_scale);
      if (own.weight_decay.word.empty()) segment.decay = static_cast<float>(own.weight_decay.number);
    }
    segments.push_back(segment);
  }
  return segments;
}

}  // namespace mpdist::optim
