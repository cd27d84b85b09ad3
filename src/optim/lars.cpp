// SPDX-License-Identifier: Apache-2.0
#include "src/optim/lars.hpp"

#include <algorithm>

#include "kernels/lars_step.hpp"
#include "src/core/error.hpp"
#include "src/optim/kernel_optimizer.hpp"

namespace mpdist::optim {
namespace {

class Lars : public KernelOptimizer {
 public:
  Lars(const LarsOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : KernelOptimizer(common, store), options_(options) {
    if (options.momentum > 0) momentum_ = add_slot("momentum");
    const bool decays = std::any_of(segments().begin(), segments().end(), [](const auto& s) { return s.decay > 0; });
    if (decays && common.decay != "coupled") {
      throw UsageError(
          "optimizer.decay: expected \"coupled\" with name = \"lars\" and weight decay, found \"decoupled\": "
          "its trust ratio contains the decay (You et al. 2017)");
    }
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    auto step = common_arguments<kernels::LarsStep>(arguments);
    step.momentum = momentum_;
    step.mu = static_cast<float>(options_.momentum);
    step.eta = static_cast<float>(options_.trust);
    kernels::lars_step(stream, step);
  }

 private:
  LarsOptions options_;
  Tensor momentum_;
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
