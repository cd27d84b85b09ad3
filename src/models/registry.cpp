// SPDX-License-Identifier: Apache-2.0
#include "src/models/registry.hpp"

#include "src/models/cnn.hpp"
#include "src/models/mlp.hpp"
#include "src/models/model.hpp"
#include "src/models/resnet.hpp"
#include "src/models/sequential.hpp"
#include "src/models/vgg.hpp"

namespace mpdist::models {

namespace {

std::vector<ModelEntry>& table() {
  static std::vector<ModelEntry> entries = {mlp_entry(), cnn_entry(), resnet_entry(), vgg_entry(), sequential_entry()};
  return entries;
}

}  // namespace

const std::vector<ModelEntry>& models() {
  return table();
}

void add(ModelEntry entry) {
  for (const ModelEntry& other : table()) require(other.name != entry.name, "two models are named {}", entry.name);
  table().push_back(std::move(entry));
}

}  // namespace mpdist::models
