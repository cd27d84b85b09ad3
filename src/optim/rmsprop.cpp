// SPDX-License-Identifier: Apache-2.0
#include "src/optim/rmsprop.hpp"

#include "kernels/rmsprop_step.hpp"
#include "src/optim/fp32_range.hpp"
#include "src/optim/kernel_optimizer.hpp"

namespace mpdist::optim {
namespace {

class Rmsprop : public KernelOptimizer {
 public:
  Rmsprop(const RmspropOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : KernelOptimizer(common, store), options_(options), square_(add_slot("square")) {
    if (options.centered) mean_ = add_slot("mean");
    if (options.momentum > 0) momentum_ = add_slot("momentum");
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    auto step = common_arguments<kernels::RmspropStep>(arguments);
    step.square = square_;
    step.mean = mean_;
    step.momentum = momentum_;
    step.alpha = static_cast<float>(options_.alpha);
    step.mu = static_cast<float>(options_.momentum);
    step.eps = static_cast<float>(options_.eps);
    step.centered = options_.centered;
    kernels::rmsprop_step(stream, step);
  }

 private:
  RmspropOptions options_;
  Tensor square_, mean_, momentum_;
};

}  // namespace

void RmspropOptions::describe(Schema& schema) {
  schema
      .key("alpha", alpha,
           {.help = "decay of the average of the squared gradient",
            .minimum = 0,
            .maximum = 1,
            .maximum_excluded = true})
      .key("momentum", momentum,
           {.help = "part of the previous update that is kept; 0: none", .minimum = 0, .maximum = 1})
      .key("eps", eps, {.help = "added to the root of the average", .minimum = 0, .minimum_excluded = true})
      .key("centered", centered, {.help = "divide by the spread around the average gradient"});
}

std::unique_ptr<Optimizer> make_rmsprop(const RmspropOptions& options, const OptimizerOptions& common,
                                        ParameterStore& store) {
  check_decay("optimizer.alpha", options.alpha);
  check_eps("optimizer.eps", options.eps);
  return std::make_unique<Rmsprop>(options, common, store);
}

}  // namespace mpdist::optim
