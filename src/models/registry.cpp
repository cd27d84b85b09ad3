// SPDX-License-Identifier: Apache-2.0
#include "src/models/registry.hpp"

#include "src/models/cnn.hpp"
#include "src/models/mlp.hpp"
#include "src/models/model.hpp"
#include "src/models/resnet.hpp"
#include "src/models/vgg.hpp"

namespace mpdist::models {

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> table = {mlp_entry(), cnn_entry(), resnet_entry(), vgg_entry()};
  return table;
}

}  // namespace mpdist::models
