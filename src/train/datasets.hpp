// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/dataset.hpp"
#include "src/train/config.hpp"

namespace mpdist::train {

/// Opens the training and the test part that [data] names.
data::Datasets open_datasets(const Config& config);

}  // namespace mpdist::train
