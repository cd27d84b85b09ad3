// SPDX-License-Identifier: Apache-2.0
#include "src/optim/sgd.hpp"

#include "kernels/sgd_step.hpp"
#include "src/core/error.hpp"
#include "src/optim/flat_array.hpp"

namespace mpdist::optim {
namespace {

class Sgd : public Optimizer {
 public:
  Sgd(const SgdOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options),
        decoupled_(common.decay == "decoupled"),
        store_(store),
        segments_(make_segments(store, common)) {
    if (options.momentum > 0) momentum_ = new_slot(store);
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    kernels::sgd_step(stream, {.master = trainable_masters(store_),
                               .momentum = momentum_,
                               .gradient = arguments.gradient,
                               .working = working_copy(store_),
                               .unscale = arguments.unscale,
                               .clip = arguments.clip,
                               .lr = arguments.lr,
                               .mu = static_cast<float>(options_.momentum),
                               .nesterov = options_.nesterov,
                               .decoupled = decoupled_,
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
  SgdOptions options_;
  bool decoupled_;
  ParameterStore& store_;
  std::vector<kernels::OptimizerSegment> segments_;
  Tensor momentum_;
  std::int64_t saturated_ = 0;
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
