// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/train/config.hpp"
#include "src/train/config_source.hpp"

namespace mpdist::train {

/// What one key alone cannot tell: keys that must fit each other. UsageError at the key that is to be changed.
void validate(const Config& config, const ConfigSource& source);

}  // namespace mpdist::train
