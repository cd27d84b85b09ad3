// SPDX-License-Identifier: Apache-2.0
// One convolution of any kind with random data, and its reference in double precision.
#pragma once
#include "tests/software_gpu/tests/cudnn_operation.hpp"

namespace software_gpu::testing {

class Convolution {
 public:
  explicit Convolution(const Problem& problem, float alpha = 1, float beta = 0)
      : p(problem),
        alpha_(alpha),
        beta_(beta),
        image(kImage, type(Pass::data), p.image()),
        filter(kFilter, type(Pass::filter), p.filter()),
        response(kResponse, type(Pass::forward), p.result()) {
    DescriptorPtr operation =
        open_operation(p.pass, p.geometry, *image.descriptor, *filter.descriptor, *response.descriptor, alpha, beta);
    operation->finalize();
    operation_graph = graph(handle, {operation.get()});
  }

  /// Runs one configuration with a workspace as large as it asks for.
  Floats run(const Descriptor& configuration, cudaStream_t stream = nullptr) const {
    DescriptorPtr execution = plan(handle, configuration);
    const std::int64_t bytes = workspace_bytes(*execution);
    Memory workspace(Memory::device, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)));
    dnn(cudnnSetStream(handle, stream));
    dnn(cudnnBackendExecute(handle, execution->get(), pack(workspace.get())->get()));
    call(cudaDeviceSynchronize());
    return output().data.values();
  }
  DescriptorPtr pack(void* workspace = nullptr) const {
    return variant_pack({{kImage, image.data.get()}, {kFilter, filter.data.get()}, {kResponse, response.data.get()}},
                        workspace);
  }

  /// Compares with a sum over all taps in double precision.
  void check(const Floats& found, int line = __builtin_LINE()) const {
    std::vector<double> sums(found.size()), magnitudes(found.size(), 1);
    for_each_tap([&](std::size_t i, std::size_t f, std::size_t r) {
      const bool forward = p.pass == Pass::forward, data = p.pass == Pass::data;
      const double a = forward || !data ? image.values[i] : response.values[r];
      const double b = forward || data ? filter.values[f] : response.values[r];
      const std::size_t element = forward ? r : data ? i : f;
      sums[element] += a * b;
      magnitudes[element] += std::abs(a * b);
    });
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double before = beta_ == 0 ? 0 : double{beta_} * double{output().values[i]};
      sums[i] = double{alpha_} * sums[i] + before;
      magnitudes[i] = bound(p.out, 1000, magnitudes[i] * (std::abs(double{alpha_}) + std::abs(double{beta_})));
    }
    expect_near(found, sums, magnitudes, line);
  }

  /// visit(index in image, in filter, in response) for each product of the convolution; all lie channels last.
  template <class Visit>
  void for_each_tap(Visit visit) const {
    const Dims y = p.result(), w = p.filter();
    const std::int64_t per_group = p.outputs / p.groups;
    for (std::int64_t place = 0; place < y[0] * y[2] * y[3]; ++place) {
      for (std::int64_t tap = 0; tap < p.kernel * p.kernel; ++tap) {
        const std::int64_t row =
            place / y[3] % y[2] * p.geometry.stride + tap / p.kernel * p.geometry.dilation - p.geometry.padding;
        const std::int64_t column =
            place % y[3] * p.geometry.stride + tap % p.kernel * p.geometry.dilation - p.geometry.padding;
        if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
        const std::int64_t pixel = (place / (y[2] * y[3]) * p.height + row) * p.width + column;
        for (std::int64_t k = 0; k < p.outputs; ++k) {
          for (std::int64_t c = 0; c < w[1]; ++c) {
            visit(static_cast<std::size_t>(pixel * p.channels + k / per_group * w[1] + c),
                  static_cast<std::size_t>((k * p.kernel * p.kernel + tap) * w[1] + c),
                  static_cast<std::size_t>(place * p.outputs + k));
          }
        }
      }
    }
  }

  struct Operand {
    Operand(std::int64_t uid, Element type, const Dims& dims)
        : values(random_values(type, volume(dims), static_cast<unsigned>(uid))),
          data(type, values),
          descriptor(tensor(uid, type, dims)) {}
    Floats values;
    Array data;
    DescriptorPtr descriptor;
  };

  Problem p;

 private:
  Element type(Pass output) const { return p.pass == output ? p.out : p.in; }
  const Operand& output() const { return p.pass == Pass::forward ? response : p.pass == Pass::data ? image : filter; }
  float alpha_, beta_;

 public:
  Handle handle;
  Operand image, filter, response;
  DescriptorPtr operation_graph;
};

inline bool has(const std::vector<cudnnBackendNumericalNote_t>& all, cudnnBackendNumericalNote_t note) {
  return std::find(all.begin(), all.end(), note) != all.end();
}

}  // namespace software_gpu::testing
