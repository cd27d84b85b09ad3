// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/comm/gpu_all_reduce.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "src/core/copy.hpp"
#include "src/core/half.hpp"

namespace mpdist::benchmarks {
namespace {

using namespace comm;

constexpr int kRounds = 21, kWarmUp = 3;
constexpr int kPeriod = 7;  ///< values are small whole numbers, so that every sum is exact in FP16

class Measurement {
 public:
  Measurement(Communicator& host, Communicator& gpus, std::int64_t bytes)
      : host_(host),
        gpus_(gpus),
        elements_(bytes / 2),
        buffer_(gpus.allocate_shared(static_cast<std::size_t>(bytes))),
        part_(buffer_->local(), {elements_}, DType::fp16, Device::cuda),
        source_({elements_}, DType::fp16, MemoryKind::gradients, Pool::cuda()) {
    const Tensor values({elements_}, DType::fp16, MemoryKind::gradients, Pool::pinned());
    for (std::int64_t i = 0; i < elements_; ++i) values.data<half>()[i] = to_half(value(gpus.rank() + 1, i));
    copy(gpus_.stream(), values, source_);
    gpus_.stream().synchronize();
  }

  /// Median over the rounds, in seconds, of the slowest rank.
  double seconds(const std::function<const std::byte*()>& reduce) {
    std::vector<double> times;
    for (int round = 0; round < kRounds + kWarmUp; ++round) {
      const double time = turn(reduce, round == 0);
      if (round >= kWarmUp) times.push_back(time);
    }
    std::ranges::nth_element(times, times.begin() + kRounds / 2);
    return times[kRounds / 2];
  }
  double tree() {
    return seconds([&] { return gpus_.tree_all_reduce(*buffer_, 0, elements_, DType::fp16, Delivery::every_rank); });
  }
  double library() {
    return seconds([&] { return gpus_.library_all_reduce(*buffer_, 0, elements_, DType::fp16); });
  }

 private:
  static float value(int factor, std::int64_t i) { return static_cast<float>(factor * static_cast<int>(i % kPeriod)); }

  double turn(const std::function<const std::byte*()>& reduce, bool verified) {
    buffer_->acquire();
    Stream& stream = gpus_.stream();
    copy(stream, source_, part_);
    stream.synchronize();
    host_.barrier();
    begin_.record(stream);
    const std::byte* sum = reduce();
    end_.record(stream);
    gpus_.wait(end_);
    if (verified) verify(sum);
    buffer_->release();
    std::array<std::int64_t, 1> lane{-static_cast<std::int64_t>(1e9 * end_.seconds_since(begin_))};
    host_.merge_lanes(lane, 1);
    return -1e-9 * static_cast<double>(lane[0]);
  }

  void verify(const std::byte* sum) const {
    const Tensor there(const_cast<std::byte*>(sum), {elements_}, DType::fp16, Device::cuda);
    const Tensor here = to_host(gpus_.stream(), there, MemoryKind::gradients);
    const int factor = gpus_.size() * (gpus_.size() + 1) / 2;
    for (std::int64_t i = 0; i < elements_; ++i) {
      const float found = to_float(here.data<half>()[i]), expected = value(factor, i);
      require(found == expected, "element {}: {} expected, found {}", i, expected, found);
    }
  }

  Communicator &host_, &gpus_;
  std::int64_t elements_;
  std::unique_ptr<SharedBuffer> buffer_;
  Tensor part_, source_;
  Event begin_{Device::cuda, true}, end_{Device::cuda, true};
};

}  // namespace

void measure_gpu_all_reduce(Communicator& host, Communicator& gpus, std::int64_t bytes) {
  Measurement measurement(host, gpus, bytes);
  const double library = measurement.library(), tree = measurement.tree();
  if (host.rank() != 0) return;
  const double moved = static_cast<double>(bytes) * 2 * (gpus.size() - 1) / gpus.size() / 1e9;
  fmt::print(
      "{} GPUs, {:8.2f} MB FP16: library {:9.1f} us, bus {:6.1f} GB/s | tree {:9.1f} us, bus {:6.1f} GB/s, {:4.2f}x\n",
      gpus.size(), static_cast<double>(bytes) / 1e6, library * 1e6, moved / library, tree * 1e6, moved / tree,
      library / tree);
}

}  // namespace mpdist::benchmarks
