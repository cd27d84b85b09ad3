// SPDX-License-Identifier: Apache-2.0
#include "src/optim/sgd.hpp"

#include "kernels/sgd_step.hpp"
#include "src/core/error.hpp"
#include "src/optim/kernel_optimizer.hpp"

namespace mpdist::optim {
namespace {

class Sgd : public KernelOptimizer {
 public:
  Sgd(const SgdOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : KernelOptimizer(common, store), options_(options) {
    if (options.momentum > 0) momentum_ = add_slot("momentum");
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    auto step = common_arguments<kernels::SgdStep>(arguments);
    step.momentum = momentum_;
    step.mu = static_cast<float>(options_.momentum);
    step.nesterov = options_.nesterov;
    kernels::sgd_step(stream, step);
  }

 private:
  SgdOptions options_;
  Tensor momentum_;
};

}  // namespace

void SgdOptions::describe(Schema& schema) {
  schema.key("momentum", momentum,
             {.help = "part of the previous update that is kept; 0: plain SGD", .minimum = 0, .maximum = 1});
  schema.key("nesterov", nesterov, {.help = "Nesterov's momentum, as PyTorch defines it"});
}

std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options, const OptimizerOptions& common, ParameterStore& store) {
  if (options.nesterov && options.momentum <= 0) {
    throw UsageError(
        "optimizer.nesterov: expected optimizer.momentum above 0, found 0; set a momentum or nesterov = false");
  }
  return std::make_unique<Sgd>(options, common, store);
}

}  // namespace mpdist::optim
