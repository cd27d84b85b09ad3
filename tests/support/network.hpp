// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/cast.hpp"
#include "src/nn/loss.hpp"
#include "src/nn/pass.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::test {

using Forward = std::function<nn::Variable(const nn::Pass&, const Tensor&)>;

/// A small network under test: parameters, one batch, and the loss as a function of the masters (FP32).
struct Network {
  Stream stream;
  ParameterStore store;
  Forward forward;
  Tensor images, labels;
  Tensor statistics;  ///< of the last training pass

  void finish(Shape image, DType type = DType::fp32) {
    store.finalize(type, 3);
    if (store.statistics()) statistics = Tensor(store.statistics().shape(), DType::fp32, MemoryKind::data);
    for (const Parameter* p : store.parameters()) {
      if (p->role == ParameterRole::bias)
        fill_uniform(store.master(*p), static_cast<std::uint64_t>(p->index), -0.1F, 0.1F);
    }
    if (type != DType::fp32) kernels::cast(stream, {.source = store.master(), .destination = store.working()});
    Shape shape{6};
    for (std::int64_t extent : image) shape.append(extent);
    images = Tensor(shape, type, MemoryKind::data);
    fill_uniform(images, 11);
    labels = Tensor({6}, DType::int32, MemoryKind::data);
    for (int i = 0; i < 6; ++i) labels.data<std::int32_t>()[i] = i % 3;
  }
  double loss(nn::Tape* tape = nullptr, nn::Observer* observer = nullptr) {
    const nn::Pass pass{.stream = stream,
                        .parameters = store,
                        .tape = tape,
                        .observer = observer,
                        .seed = 9,
                        .attempted = 4,
                        .shard_statistics = statistics};
    nn::LossSums sums;
    nn::softmax_cross_entropy(pass, "loss", forward(pass, images), labels, 0.1F, 1, sums);
    return sums.loss;
  }
  /// Training-mode loss (dropout active), nothing kept.
  double training_loss() {
    nn::Tape tape(stream, store, [](const Parameter&, const Tensor&) {});
    return loss(&tape);
  }

  std::map<std::string, std::vector<double>> gradients(nn::Observer* observer = nullptr) {
    std::map<std::string, std::vector<double>> result;
    nn::Tape tape(
        stream, store, [&](const Parameter& p, const Tensor& g) { result[p.name] = values_of(g); }, observer);
    loss(&tape, observer);
    tape.backward();
    return result;
  }

  /// d loss / d(step along the gradient) equals |gradient| for every parameter. Deep networks have kinks (ReLU, max
  /// pooling) close to any point: they need a short step, at which the rounding of the FP32 loss shows.
  void check_directional_derivatives(double step = 2e-3, double relative = 5e-3) {
    for (const auto& [name, gradient] : gradients()) {
      double squares = 0;
      for (double g : gradient) squares += g * g;
      const double norm = std::sqrt(squares);
      ASSERT_GT(norm, 1e-4) << name;
      float* values = store.master(*store.find(name)).data<float>();
      const std::vector<float> before(values, values + gradient.size());
      const auto at = [&](double distance) {
        for (std::size_t i = 0; i < gradient.size(); ++i)
          values[i] = static_cast<float>(before[i] + distance * gradient[i] / norm);
        const double result = training_loss();
        std::copy(before.begin(), before.end(), values);
        return result;
      };
      EXPECT_NEAR((at(step) - at(-step)) / (2 * step), norm, relative * norm + 2e-6 / step) << name;
    }
  }
};

}  // namespace mpdist::test
