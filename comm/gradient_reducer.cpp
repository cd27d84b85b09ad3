// SPDX-License-Identifier: Apache-2.0
#include "comm/gradient_reducer.hpp"

#include <bit>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>

#include "comm/bucket_exchange.hpp"
#include "comm/gradient_accumulator.hpp"
#include "comm/value_sum.hpp"

namespace mpdist::comm {
namespace {

std::int64_t local_shards_of(const Communicator& communicator, std::int64_t shards) {
  const std::int64_t ranks = communicator.size();
  require(shards > 0 && shards % ranks == 0 && std::has_single_bit(static_cast<std::uint64_t>(shards / ranks)),
          "{} shards on {} ranks: each rank needs a power of two of them", shards, ranks);
  return shards / ranks;
}

/// K: the largest power of two not above S.
float largest_power_of_two(std::int64_t shards) {
  return static_cast<float>(std::bit_floor(static_cast<std::uint64_t>(shards)));
}

}  // namespace

struct GradientReducer::Impl {
  Impl(const ParameterStore& parameters, Communicator& ranks, const GradientReducerOptions& chosen)
      : store(parameters),
        options(chosen),
        local_shards(local_shards_of(ranks, chosen.shards)),
        own_communicator(chosen.overlap ? ranks.duplicate() : nullptr),
        communicator(own_communicator ? *own_communicator : ranks),
        bytes_before(communicator.bytes_sent()),
        accumulator(parameters, chosen.wire, local_shards, 1.0f / largest_power_of_two(chosen.shards)),
        buffer(communicator.allocate_shared(static_cast<std::size_t>(parameters.trainable_elements()) *
                                            size_of(chosen.wire))),
        local_sum(buffer->local(), Shape{parameters.trainable_elements()}, chosen.wire),
        value_sum(communicator, local_shards),
        buckets(
            make_buckets(parameters, static_cast<std::int64_t>(size_of(chosen.wire)), chosen.first_bucket_bytes,
                         chosen.bucket_bytes),
            [this](const Bucket& bucket) { exchange(bucket); }, own_communicator != nullptr) {}

  void exchange(const Bucket& bucket) {
    reduced = options.tree ? communicator.tree_all_reduce(*buffer, bucket.begin, bucket.elements, options.wire,
                                                          Delivery::in_place)
                           : communicator.library_all_reduce(*buffer, bucket.begin, bucket.elements, options.wire);
  }
  void start_step_once();
  void acquire_once();
  void fill_untouched();

  const ParameterStore& store;
  GradientReducerOptions options;
  std::int64_t local_shards;
  std::unique_ptr<Communicator> own_communicator;  ///< of the communication thread
  Communicator& communicator;
  std::int64_t bytes_before;
  GradientAccumulator accumulator;
  std::unique_ptr<SharedBuffer> buffer;
  Tensor local_sum;  ///< this rank's part of the buffer
  ValueSum value_sum;
  const std::byte* reduced = nullptr;
  std::vector<NonfiniteLeaf> nonfinite;
  enum class Phase : unsigned char { idle, adding, reduced } phase = Phase::idle;
  bool acquired = false;
  double exchange_s = 0;
  int exceptions = std::uncaught_exceptions();
  BucketExchange buckets;  ///< last: its thread ends before what it uses
};

/// The first leaf or value of a step.
void GradientReducer::Impl::start_step_once() {
  require(phase != Phase::reduced, "gradient reducer: release() must come before the next step's leaves");
  if (phase == Phase::adding) return;
  phase = Phase::adding;
  acquired = false;
  nonfinite.clear();
  accumulator.start_step();
}

/// Before the first write to the buffer in a step; later the results of this step's first buckets may be there already.
void GradientReducer::Impl::acquire_once() {
  if (!acquired) buffer->acquire();
  acquired = true;
}

/// Parameters that no shard has touched have a zero gradient; those that only some shards touched are a defect.
void GradientReducer::Impl::fill_untouched() {
  for (const Parameter* parameter : store.trainable_parameters()) {
    const auto state = accumulator.state(*parameter);
    require(state != GradientAccumulator::State::partial, "gradient of {}: not every local shard came before reduce()",
            parameter->name);
    if (state == GradientAccumulator::State::complete) continue;
    const Tensor slice = ParameterStore::slice(local_sum, *parameter);
    acquire_once();
    std::memset(slice.raw(), 0, slice.bytes());
    buckets.complete(parameter->index);
  }
}

GradientReducer::GradientReducer(const ParameterStore& store, Communicator& communicator,
                                 GradientReducerOptions options)
    : impl_(std::make_unique<Impl>(store, communicator, options)) {}

/// While an exception unwinds, the communication thread may wait for ranks that never come: all is left to the end of
/// the process, which main brings about.
GradientReducer::~GradientReducer() {
  if (std::uncaught_exceptions() > impl_->exceptions) static_cast<void>(impl_.release());
}

void GradientReducer::leaf(Stream& stream, const Parameter& parameter, std::int64_t local_shard,
                           const Tensor& gradient) {
  Impl& impl = *impl_;
  impl.start_step_once();
  const bool last = local_shard + 1 == impl.local_shards;
  if (last) impl.acquire_once();
  const std::int64_t count = impl.accumulator.add(stream, parameter, local_shard, gradient, impl.local_sum);
  if (count > 0) {
    const std::int64_t first = impl.communicator.rank() * impl.local_shards;
    impl.nonfinite.push_back({.parameter = parameter.index, .shard = first + local_shard, .count = count});
  }
  if (last) impl.buckets.complete(parameter.index);
}

void GradientReducer::values(std::int64_t local_shard, std::span<const float> values) {
  impl_->start_step_once();
  impl_->value_sum.add(local_shard, values);
}

Tensor GradientReducer::reduce(Stream&) {
  Impl& impl = *impl_;
  impl.start_step_once();
  impl.fill_untouched();
  const auto start = std::chrono::steady_clock::now();
  impl.buckets.finish();
  impl.value_sum.reduce();
  impl.exchange_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  impl.phase = Impl::Phase::reduced;
  return Tensor(const_cast<std::byte*>(impl.reduced), Shape{impl.store.trainable_elements()}, impl.options.wire);
}

std::span<const float> GradientReducer::reduced_values() const {
  return impl_->value_sum.reduced();
}

void GradientReducer::release() {
  require(impl_->phase == Impl::Phase::reduced, "gradient reducer: release() without reduce()");
  impl_->phase = Impl::Phase::idle;
  impl_->buffer->release();
}

const std::vector<NonfiniteLeaf>& GradientReducer::nonfinite() const {
  return impl_->nonfinite;
}
std::int64_t GradientReducer::pending_arrays() const {
  return impl_->accumulator.levels();
}
std::int64_t GradientReducer::wire_bytes() const {
  return impl_->store.trainable_elements() * static_cast<std::int64_t>(size_of(impl_->options.wire));
}
double GradientReducer::exchange_s() const {
  return impl_->exchange_s;
}
std::int64_t GradientReducer::bytes_sent() const {
  return impl_->communicator.bytes_sent() - impl_->bytes_before;
}

}  // namespace mpdist::comm
