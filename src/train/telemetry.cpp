// SPDX-License-Identifier: Apache-2.0
#include "src/train/telemetry.hpp"

#include <algorithm>
#include <tuple>

namespace mpdist::train {

using kernels::ExponentCounts;

Telemetry::Telemetry(const ParameterStore& store, Stream& stream) : stream_(stream) {
  for (const Parameter* p : store.trainable_parameters()) {
    segments_.push_back({p->offset, p->elements()});
    gradients_.push_back({.name = p->name});
  }
}

void Telemetry::begin(nn::Observer* next) {
  next_ = next;
  for (precision::TensorRange& range : activations_) range.counts = {};
}

void Telemetry::activation(const std::string& layer, const char* operation, const Tensor& value) {
  if (next_) next_->activation(layer, operation, value);
}

void Telemetry::activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) {
  if (next_) next_->activation_gradient(layer, operation, gradient);
  if (place_ == activations_.size()) activations_.push_back({.name = layer, .operation = operation});
  const kernels::SegmentSpan all{.offset = 0, .elements = gradient.elements()};
  kernels::exponent_histogram(stream_, {.values = gradient.reshaped({gradient.elements()}),
                                        .segments = &all,
                                        .segment_count = 1,
                                        .counts = &activations_[place_++].counts});
}

void Telemetry::end(comm::Communicator& communicator, const Tensor& reduced) {
  constexpr std::size_t kBins = std::tuple_size_v<decltype(ExponentCounts::finite)>, kLanes = kBins + 2;
  lanes_.resize(activations_.size() * kLanes);
  auto lane = lanes_.begin();
  for (const precision::TensorRange& range : activations_) {
    lane = std::copy(range.counts.finite.begin(), range.counts.finite.end(), lane);
    *lane++ = range.counts.zero;
    *lane++ = range.counts.nonfinite;
  }
  communicator.merge_lanes(lanes_, 0);
  lane = lanes_.begin();
  for (precision::TensorRange& range : activations_) {
    std::copy_n(lane, kBins, range.counts.finite.begin());
    lane += kBins;
    range.counts.zero = *lane++;
    range.counts.nonfinite = *lane++;
  }
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    gradients_[p].counts = {};
    kernels::exponent_histogram(
        stream_, {.values = reduced, .segments = &segments_[p], .segment_count = 1, .counts = &gradients_[p].counts});
  }
}

}  // namespace mpdist::train
