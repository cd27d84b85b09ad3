// SPDX-License-Identifier: Apache-2.0
#include "src/optim/lion.hpp"

#include "kernels/lion_step.hpp"
#include "src/optim/betas.hpp"
#include "src/optim/kernel_optimizer.hpp"

namespace mpdist::optim {
namespace {

class Lion : public KernelOptimizer {
 public:
  Lion(const LionOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : KernelOptimizer(common, store), options_(options), m_(add_slot("m")) {}

  void update(Stream& stream, const UpdateArguments& arguments) override {
    auto step = common_arguments<kernels::LionStep>(arguments);
    step.m = m_;
    step.beta1 = static_cast<float>(options_.betas[0]);
    step.beta2 = static_cast<float>(options_.betas[1]);
    kernels::lion_step(stream, step);
  }

 private:
  LionOptions options_;
  Tensor m_;
};

}  // namespace

void LionOptions::describe(Schema& schema) {
  schema.key("betas", betas, betas_doc("part of the average in the sign, and the decay of the average"));
}

std::unique_ptr<Optimizer> make_lion(const LionOptions& options, const OptimizerOptions& common,
                                     ParameterStore& store) {
  check_betas(options.betas);
  return std::make_unique<Lion>(options, common, store);
}

}  // namespace mpdist::optim
