// SPDX-License-Identifier: Apache-2.0
#include "src/optim/adamw.hpp"

#include "kernels/adamw_step.hpp"
#include "src/optim/betas.hpp"
#include "src/optim/fp32_range.hpp"
#include "src/optim/kernel_optimizer.hpp"

namespace mpdist::optim {
namespace {

class Adamw : public KernelOptimizer {
 public:
  Adamw(const AdamwOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : KernelOptimizer(common, store), options_(options), m_(add_slot("m")), v_(add_slot("v")) {}

  void update(Stream& stream, const UpdateArguments& arguments) override {
    auto step = common_arguments<kernels::AdamwStep>(arguments);
    step.m = m_;
    step.v = v_;
    step.beta1 = static_cast<float>(options_.betas[0]);
    step.beta2 = static_cast<float>(options_.betas[1]);
    step.eps = static_cast<float>(options_.eps);
    step.correction1 = bias_correction(step.beta1, arguments.step);
    step.correction2 = bias_correction(step.beta2, arguments.step);
    kernels::adamw_step(stream, step);
  }

 private:
  AdamwOptions options_;
  Tensor m_, v_;
};

}  // namespace

void AdamwOptions::describe(Schema& schema) {
  schema.key("betas", betas, betas_doc("decay of the averages of the gradient and of its square"));
  schema.key("eps", eps, {.help = "added to the root of the second moment", .minimum = 0, .minimum_excluded = true});
}

std::unique_ptr<Optimizer> make_adamw(const AdamwOptions& options, const OptimizerOptions& common,
                                      ParameterStore& store) {
  check_betas(options.betas);
  check_eps("optimizer.eps", options.eps);
  return std::make_unique<Adamw>(options, common, store);
}

}  // namespace mpdist::optim
