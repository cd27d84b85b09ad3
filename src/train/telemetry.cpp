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
  if (!gradient_counts_) gradient_counts_.emplace(stream_, static_cast<std::int64_t>(gradients_.size()));
  for (const auto& counts : activation_counts_) *counts = {};
}

void Telemetry::activation(const std::string& layer, const char* operation, const Tensor& value) {
  if (next_) next_->activation(layer, operation, value);
}

void Telemetry::activation_gradient(const std::string& layer, const char* operation, const Tensor& gradient) {
  if (next_) next_->activation_gradient(layer, operation, gradient);
  if (place_ == activations_.size()) {
    activations_.push_back({.name = layer, .operation = operation});
    activation_counts_.emplace_back(stream_);
  }
  const kernels::SegmentSpan all{.offset = 0, .elements = gradient.elements()};
  kernels::exponent_histogram(stream_, {.values = gradient.reshaped({gradient.elements()}),
                                        .segments = &all,
                                        .segment_count = 1,
                                        .counts = activation_counts_[place_++].data()});
}

void Telemetry::end(comm::Communicator& communicator, const Tensor& reduced) {
  constexpr std::size_t kBins = std::tuple_size_v<decltype(ExponentCounts::finite)>, kLanes = kBins + 2;
  lanes_.resize(activations_.size() * kLanes);
  auto lane = lanes_.begin();
  for (const auto& counts : activation_counts_) {
    lane = std::copy(counts->finite.begin(), counts->finite.end(), lane);
    *lane++ = counts->zero;
    *lane++ = counts->nonfinite;
  }
  communicator.merge_lanes(lanes_, 0);
  lane = lanes_.begin();
  for (precision::TensorRange& range : activations_) {
    std::copy_n(lane, kBins, range.counts.finite.begin());
    lane += kBins;
    range.counts.zero = *lane++;
    range.counts.nonfinite = *lane++;
  }
  std::fill(gradient_counts_->begin(), gradient_counts_->end(), ExponentCounts{});
  kernels::exponent_histogram(stream_, {.values = reduced,
                                        .segments = segments_.data(),
                                        .segment_count = static_cast<std::int64_t>(segments_.size()),
                                        .counts = gradient_counts_->data()});
  stream_.synchronize();
  for (std::size_t p = 0; p < gradients_.size(); ++p) {
    gradients_[p].counts = (*gradient_counts_)[static_cast<std::int64_t>(p)];
  }
}

}  // namespace mpdist::train
