// SPDX-License-Identifier: Apache-2.0
#include "src/optim/lars.hpp"

#include <algorithm>

#include "kernels/lars_step.hpp"
#include "src/core/error.hpp"
#include "src/optim/flat_array.hpp"

namespace mpdist::optim {
namespace {

class Lars : public Optimizer {
 public:
  Lars(const LarsOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options), store_(store), segments_(make_segments(store, common)) {
    if (options.momentum > 0) momentum_ = new_slot(store);
    const bool decays = std::any_of(segments_.begin(), segments_.end(), [](const auto& s) { return s.decay > 0; });
    if (decays && common.decay != "coupled") {
      throw UsageError(
          "optimizer.decay: expected \"coupled\" with name = \"lars\" and weight decay, found \"decoupled\": "
          "its trust ratio contains the decay (You et al. 2017)");
    }
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    kernels::lars_step(stream, {.master = trainable_masters(store_),
                                .momentum = momentum_,
                                .gradient = arguments.gradient,
                                .working = working_copy(store_),
                                .unscale = arguments.unscale,
                                .clip = arguments.clip,
                                .lr = arguments.lr,
                                .mu = static_cast<float>(options_.momentum),
                                .eta = static_cast<float>(options_.trust),
                                .segments = segments_.data(),
                                .segment_count = static_cast<std::int64_t>(segments_.size()),
                                .saturated = &saturated_});
  }

  std::vector<Slot> slots() override {
    if (!momentum_) return {};
    return {{"momentum", momentum_}};
  }

  std::int64_t saturated() const override { return saturated_; }

 private:
  LarsOptions options_;
  ParameterStore& store_;
  std::vector<kernels::OptimizerSegment> segments_;
  Tensor momentum_;
  std::int64_t saturated_ = 0;
};

}  // namespace

void LarsOptions::describe(Schema& schema) {
  schema.key("momentum", momentum,
             {.help = "part of the previous update that is kept; 0: none", .minimum = 0, .maximum = 1});
  schema.key("trust", trust,
             {.help = "rate of a weight in units of its norm over that of its gradient",
              .minimum = 0,
              .minimum_excluded = true});
}

std::unique_ptr<Optimizer> make_lars(const LarsOptions& options, const OptimizerOptions& common,
                                     ParameterStore& store) {
  return std::make_unique<Lars>(options, common, store);
}

}  // namespace mpdist::optim
