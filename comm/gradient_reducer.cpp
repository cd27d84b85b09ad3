// SPDX-License-Identifier: Apache-2.0
#include "comm/gradient_reducer.hpp"

#include <bit>
#include <chrono>
#include <deque>

#include "comm/bucket_exchange.hpp"
#include "comm/gradient_accumulator.hpp"
#include "comm/value_sum.hpp"
#include "src/core/copy.hpp"
#include "src/core/host_array.hpp"
#include "src/core/log.hpp"
#include "src/core/unwinding.hpp"

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

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A second communicator for the communication thread, where one is wanted; a GPU has a stream for that.
std::unique_ptr<Communicator> communicator_of_thread(Communicator& gradients, bool overlap) {
  return overlap && gradients.stream().device() == Device::cpu ? gradients.duplicate() : nullptr;
}

ExchangeTime exchange_time(Device device, bool own_thread) {
  if (device == Device::cuda) return ExchangeTime::at_once;
  return own_thread ? ExchangeTime::in_own_thread : ExchangeTime::at_end;
}

}  // namespace

struct GradientReducer::Impl {
  Impl(const ParameterStore& parameters, Communicator& host_ranks, Communicator& gradients, Stream& compute_stream,
       const GradientReducerOptions& chosen);

  void start_step_once();
  void acquire_once();
  void fill_untouched();
  void exchange(const Bucket& bucket);
  ExchangeError named(const Bucket& bucket, const ExchangeError& error) const;
  const Bucket& first_unfinished() const;

  /// Of one bucket, on a GPU: its leaves are complete; its sum is.
  struct Events {
    explicit Events(Device device) : ready(device), done(device) {}
    Event ready, done;
  };
  struct Leaf {
    int parameter;
    std::int64_t local_shard;
  };
  std::int64_t& count_of(const Leaf& leaf) const {
    return counts[leaf.local_shard * static_cast<std::int64_t>(store.trainable_parameters().size()) + leaf.parameter];
  }

  const ParameterStore& store;
  GradientReducerOptions options;
  Communicator& host;
  Stream& compute;
  std::int64_t local_shards;
  std::unique_ptr<Communicator> own_communicator;  ///< of the communication thread
  Communicator& communicator;
  std::int64_t bytes_before, value_bytes = 0;
  GradientAccumulator accumulator;
  std::unique_ptr<SharedBuffer> buffer;
  Tensor local_sum;  ///< this rank's part of the buffer
  ValueSum value_sum;
  const std::byte* reduced = nullptr;
  HostArray<std::int64_t> counts;  ///< [local shards, trainable parameters] non-finite elements of each leaf
  std::vector<Leaf> leaves;        ///< of this step
  std::vector<NonfiniteLeaf> nonfinite;
  enum class Phase : unsigned char { idle, adding, reduced } phase = Phase::idle;
  bool acquired = false;
  std::int64_t attempted = 0;
  double exchange_s = 0;
  UnwindingCheck unwinding;
  std::deque<Events> events;  ///< by bucket
  Event finished;             ///< all that synchronize() waits for
  BucketExchange buckets;     ///< last: its thread ends before what it uses
};

GradientReducer::Impl::Impl(const ParameterStore& parameters, Communicator& host_ranks, Communicator& gradients,
                            Stream& compute_stream, const GradientReducerOptions& chosen)
    : store(parameters),
      options(chosen),
      host(host_ranks),
      compute(compute_stream),
      local_shards(local_shards_of(gradients, chosen.shards)),
      own_communicator(communicator_of_thread(gradients, chosen.overlap)),
      communicator(own_communicator ? *own_communicator : gradients),
      bytes_before(communicator.bytes_sent()),
      accumulator(parameters, chosen.wire, local_shards, 1.0f / largest_power_of_two(chosen.shards), compute.pool()),
      buffer(communicator.allocate_shared(static_cast<std::size_t>(parameters.trainable_elements()) *
                                          size_of(chosen.wire))),
      local_sum(buffer->local(), Shape{parameters.trainable_elements()}, chosen.wire, compute.device()),
      value_sum(host_ranks, local_shards),
      counts(compute, local_shards * static_cast<std::int64_t>(parameters.trainable_parameters().size())),
      finished(compute.device()),
      buckets(
          make_buckets(parameters, static_cast<std::int64_t>(size_of(chosen.wire)), chosen.first_bucket_bytes,
                       chosen.bucket_bytes),
          [this](const Bucket& bucket) { exchange(bucket); },
          exchange_time(compute.device(), own_communicator != nullptr)) {
  require(communicator.stream().device() == compute.device(), "gradient reducer: gradients on {}, communicator on {}",
          name_of(compute.device()), name_of(communicator.stream().device()));
  for (std::size_t i = 0; i < buckets.buckets().size(); ++i) events.emplace_back(compute.device());
}

/// On a GPU the communicator's stream waits for the leaves; what it enqueues runs beside the rest of the backward pass.
void GradientReducer::Impl::exchange(const Bucket& bucket) {
  Events& at = events[static_cast<std::size_t>(bucket.index)];
  at.ready.record(compute);
  communicator.stream().wait(at.ready);
  try {
    reduced = options.tree ? communicator.tree_all_reduce(*buffer, bucket.begin, bucket.elements, options.wire,
                                                          Delivery::in_place)
                           : communicator.library_all_reduce(*buffer, bucket.begin, bucket.elements, options.wire);
  } catch (const ExchangeError& error) {
    throw named(bucket, error);
  }
  at.done.record(communicator.stream());
}

ExchangeError GradientReducer::Impl::named(const Bucket& bucket, const ExchangeError& error) const {
  return ExchangeError(
      fmt::format("attempted step {}, bucket {} of {} ({} bytes from {} on): {}", attempted, bucket.index + 1,
                  buckets.buckets().size(), bucket.elements * static_cast<std::int64_t>(size_of(options.wire)),
                  store.trainable_parameters()[static_cast<std::size_t>(bucket.first)]->name, error.what()));
}

/// The exchange that a failure stopped; the last one where all have finished.
const Bucket& GradientReducer::Impl::first_unfinished() const {
  const std::vector<Bucket>& all = buckets.buckets();
  std::size_t i = 0;
  while (i + 1 < all.size() && events[i].done.happened()) ++i;
  return all[i];
}

/// The first leaf of a step.
void GradientReducer::Impl::start_step_once() {
  require(phase != Phase::reduced, "gradient reducer: release() must come before the next step's leaves");
  if (phase == Phase::adding) return;
  phase = Phase::adding;
  acquired = false;
  leaves.clear();
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
    acquire_once();
    fill_zero(compute, ParameterStore::slice(local_sum, *parameter));
    buckets.complete(parameter->index);
  }
}

GradientReducer::GradientReducer(const ParameterStore& store, Communicator& host, Communicator& gradients,
                                 Stream& stream, GradientReducerOptions options)
    : impl_(std::make_unique<Impl>(store, host, gradients, stream, options)) {}

/// While an exception unwinds, the communication thread may wait for ranks that never come: all is left to the end of
/// the process, which main brings about. Otherwise what is under way on a GPU ends before its memory goes back.
GradientReducer::~GradientReducer() {
  if (impl_->unwinding.unwinding()) {
    static_cast<void>(impl_.release());
    return;
  }
  try {
    impl_->compute.synchronize();
    impl_->communicator.stream().synchronize();
  } catch (const Error& error) {
    log::warn("{}", error.what());
  }
}

void GradientReducer::set_step(std::int64_t attempted) {
  impl_->attempted = attempted;
}

void GradientReducer::leaf(Stream& stream, const Parameter& parameter, std::int64_t local_shard,
                           const Tensor& gradient) {
  Impl& impl = *impl_;
  impl.start_step_once();
  const bool last = local_shard + 1 == impl.local_shards;
  if (last) impl.acquire_once();
  const Impl::Leaf leaf{parameter.index, local_shard};
  impl.accumulator.add(stream, parameter, local_shard, gradient, impl.local_sum, &impl.count_of(leaf));
  impl.leaves.push_back(leaf);
  if (last) impl.buckets.complete(parameter.index);
}

Tensor GradientReducer::reduce(Stream& stream) {
  Impl& impl = *impl_;
  impl.start_step_once();
  const auto start = std::chrono::steady_clock::now();
  impl.fill_untouched();
  impl.buckets.finish();
  if (!impl.events.empty()) stream.wait(impl.events.back().done);
  impl.exchange_s = seconds_since(start);
  impl.phase = Impl::Phase::reduced;
  return Tensor(const_cast<std::byte*>(impl.reduced), impl.local_sum.shape(), impl.options.wire, stream.device());
}

void GradientReducer::synchronize(Stream& stream) {
  impl_->finished.record(stream);
  try {
    impl_->communicator.wait(impl_->finished);
  } catch (const ExchangeError& error) {
    throw impl_->named(impl_->first_unfinished(), error);
  }
}

const std::vector<NonfiniteLeaf>& GradientReducer::nonfinite() const {
  Impl& impl = *impl_;
  impl.nonfinite.clear();
  const std::int64_t first = impl.communicator.rank() * impl.local_shards;
  for (const Impl::Leaf& leaf : impl.leaves) {
    const std::int64_t count = impl.count_of(leaf);
    if (count > 0) impl.nonfinite.push_back({leaf.parameter, first + leaf.local_shard, count});
  }
  return impl.nonfinite;
}

void GradientReducer::values(std::int64_t local_shard, std::span<const float> values) {
  impl_->value_sum.add(local_shard, values);
}

void GradientReducer::reduce_values() {
  Impl& impl = *impl_;
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t before = impl.host.bytes_sent();
  impl.value_sum.reduce();
  if (&impl.host != &impl.communicator) impl.value_bytes += impl.host.bytes_sent() - before;
  impl.exchange_s += seconds_since(start);
}

std::span<const float> GradientReducer::reduced_values() const {
  return impl_->value_sum.reduced();
}

/// On a GPU the next write to the gradient is enqueued on the same stream as its uses.
void GradientReducer::release(Stream&) {
  require(impl_->phase == Impl::Phase::reduced, "gradient reducer: release() without reduce()");
  impl_->phase = Impl::Phase::idle;
  impl_->buffer->release();
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
  return impl_->communicator.bytes_sent() - impl_->bytes_before + impl_->value_bytes;
}

}  // namespace mpdist::comm
