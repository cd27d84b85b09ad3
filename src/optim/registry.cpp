// SPDX-License-Identifier: Apache-2.0
#include "src/core/error.hpp"
#include "src/optim/adamw.hpp"
#include "src/optim/lamb.hpp"
#include "src/optim/lars.hpp"
#include "src/optim/lion.hpp"
#include "src/optim/optimizer.hpp"
#include "src/optim/rmsprop.hpp"
#include "src/optim/sgd.hpp"

namespace mpdist::optim {
namespace {

template <class O>
OptimizerEntry entry(std::string name, std::string help,
                     std::unique_ptr<Optimizer> (*make)(const O&, const OptimizerOptions&, ParameterStore&)) {
  return {std::move(name), std::move(help), [] { return std::make_unique<O>(); },
          [make](const Options& options, const OptimizerOptions& common, ParameterStore& store) {
            require(bool(store.master()), "optimizer made before the parameters were laid out");
            return make(dynamic_cast<const O&>(options), common, store);
          }};
}

}  // namespace

const std::vector<OptimizerEntry>& optimizers() {
  static const std::vector<OptimizerEntry> all{
      entry("sgd", "stochastic gradient descent with momentum", make_sgd),
      entry("adamw", "Adam with decoupled weight decay; decay = \"coupled\" makes it Adam with L2", make_adamw),
      entry("rmsprop", "gradient over the root of its average square; centered and with momentum if asked",
            make_rmsprop),
      entry("lion", "sign of an average of the gradient", make_lion),
      entry("lars", "SGD with momentum, each weight's rate by its norm over its gradient's", make_lars),
      entry("lamb", "AdamW, each weight's rate by its norm over its update's", make_lamb),
  };
  return all;
}

}  // namespace mpdist::optim
