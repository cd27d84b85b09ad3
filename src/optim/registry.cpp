// SPDX-License-Identifier: Apache-2.0
#include "src/core/error.hpp"
#include "src/optim/adamw.hpp"
#include "src/optim/optimizer.hpp"
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
  };
  return all;
}

}  // namespace mpdist::optim
