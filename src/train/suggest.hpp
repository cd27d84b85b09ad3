// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mpdist::train {

/// The known word that `word` was most likely meant to be; empty when none is near. Near: few edits apart (a third of
/// the length, at most 3), one the initials of the other (learning_rate, lr), or one the beginning of the other (momen,
/// momentum).
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// "; did you mean 'lr'? (known: lr, momentum)", without the question when nothing is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace mpdist::train
