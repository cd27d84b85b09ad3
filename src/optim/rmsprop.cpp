// SPDX-License-Identifier: Apache-2.0
#include "src/optim/rmsprop.hpp"

#include "kernels/rmsprop_step.hpp"
#include "src/optim/flat_array.hpp"
#include "src/optim/fp32_range.hpp"

namespace mpdist::optim {
namespace {

class Rmsprop : public Optimizer {
 public:
  Rmsprop(const RmspropOptions& options, const OptimizerOptions& common, ParameterStore& store)
      : options_(options),
        decoupled_(common.decay == "decoupled"),
        store_(store),
        segments_(make_segments(store, common)),
        square_(new_slot(store)) {
    if (options.centered) mean_ = new_slot(store);
    if (options.momentum > 0) momentum_ = new_slot(store);
  }

  void update(Stream& stream, const UpdateArguments& arguments) override {
    kernels::rmsprop_step(stream, {.master = trainable_masters(store_),
                                   .square = square_,
                                   .mean = mean_,
                                   .momentum = momentum_,
                                   .gradient = arguments.gradient,
                                   .working = working_copy(store_),
                                   .unscale = arguments.unscale,
                                   .clip = arguments.clip,
                                   .lr = arguments.lr,
                                   .alpha = static_cast<float>(options_.alpha),
                                   .mu = static_cast<float>(options_.momentum),
                                   .eps = static_cast<float>(options_.eps),
                                   .centered = options_.centered,
                                   .decoupled = decoupled_,
                                   .segments = segments_.data(),
                                   .segment_count = static_cast<std::int64_t>(segments_.size()),
                                   .saturated = &saturated_});
  }

  std::vector<Slot> slots() override {
    std::vector<Slot> all{{"square", square_}};
    if (mean_) all.push_back({"mean", mean_});
    if (momentum_) all.push_back({"momentum", momentum_});
    return all;
  }

  std::int64_t saturated() const override { return saturated_; }

 private:
  RmspropOptions options_;
  bool decoupled_;
  ParameterStore& store_;
  std::vector<kernels::OptimizerSegment> segments_;
  Tensor square_, mean_, momentum_;
  std::int64_t saturated_ = 0;
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
