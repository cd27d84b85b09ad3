// SPDX-License-Identifier: Apache-2.0
#include "data/loader.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "src/core/convert.hpp"

namespace mpdist::data {
namespace {

Batch empty_batch(const Shape& image, std::int64_t rows, DType dtype, Pool& pool) {
  Batch batch;
  batch.images = Tensor({rows, image[0], image[1], image[2]}, dtype, MemoryKind::data, pool);
  batch.labels = Tensor({rows}, DType::int32, MemoryKind::data, pool);
  return batch;
}

/// mpirun pins each of two ranks to one core, which several workers would share with the rank's own work: this thread
/// then may run wherever the system lets it. Its rank stays where it is.
void leave_a_single_cpu() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0 || CPU_COUNT(&mask) > 1) return;
  CPU_ZERO(&mask);
  const long all = std::min<long>(sysconf(_SC_NPROCESSORS_CONF), CPU_SETSIZE);
  for (long cpu = 0; cpu < all; ++cpu) CPU_SET(static_cast<std::size_t>(cpu), &mask);
  sched_setaffinity(0, sizeof mask, &mask);  // a refusal leaves the mask as it was: slower, not wrong
}

/// Reads, augments and rounds images one at a time; keeps the scratch memory of one thread.
class RowWriter {
 public:
  RowWriter(const Dataset& dataset, const Augmentation& augmentation)
      : dataset_(dataset),
        augmentation_(augmentation),
        raw_(static_cast<std::size_t>(dataset.image_shape().elements())),
        prepared_(raw_.size()) {}

  /// Fills row `row` of the batch with sample `place`.
  void write(Batch& batch, std::int64_t row, Sampler::Place place, bool training) {
    dataset_.read(place.index, raw_);
    augmentation_.apply(raw_, prepared_, place.epoch, place.index, training);
    const DType dtype = batch.images.dtype();
    auto* images = static_cast<std::byte*>(batch.images.raw());
    round_to(prepared_, dtype, images + static_cast<std::size_t>(row) * raw_.size() * size_of(dtype));
    batch.labels.data<std::int32_t>()[row] = dataset_.label(place.index);
  }

 private:
  const Dataset& dataset_;
  const Augmentation& augmentation_;
  std::vector<float> raw_, prepared_;
};

}  // namespace

struct Loader::Impl {
  /// A batch on its way from a worker to get(); batch k has slot k % depth.
  struct Slot {
    bool ready = false;
    Batch batch;
    std::exception_ptr error;
  };

  Impl(const Dataset& data, Augmentation augment, Sampler samples, LoaderOptions opts);
  Batch build(std::int64_t k, RowWriter& writer) const;
  Batch take(std::int64_t k);
  void work(const std::stop_token& stop, RowWriter& writer);
  Slot& slot(std::int64_t k) { return slots[static_cast<std::size_t>(k % depth)]; }

  const Dataset& dataset;
  const Augmentation augmentation;
  const Sampler sampler;
  const LoaderOptions options;
  const std::int64_t depth;  ///< batches prepared ahead
  RowWriter own_writer;      ///< of the calling thread, without workers
  double wait_s = 0;

  std::mutex mutex;                      ///< guards what follows
  std::condition_variable_any may_work;  ///< a worker may claim a batch
  std::condition_variable is_ready;      ///< a slot became ready
  std::vector<Slot> slots;
  std::int64_t wanted = -1;           ///< the batch that get() expects next; -1: none, workers rest
  std::int64_t claim = 0;             ///< the next batch that a worker takes
  std::uint64_t generation = 0;       ///< counts restarts, so that batches begun before one are dropped
  std::vector<std::jthread> workers;  ///< last member: stopped and joined before the rest goes
};

Loader::Impl::Impl(const Dataset& data, Augmentation augment, Sampler samples, LoaderOptions opts)
    : dataset(data),
      augmentation(std::move(augment)),
      sampler(samples),
      options(opts),
      depth(std::max<std::int64_t>(opts.ahead(), 1)),
      own_writer(dataset, augmentation) {
  require(opts.rows >= 1 && opts.first >= 0 && opts.first + opts.rows <= opts.global_batch,
          "loader: rows [{}, {}) of a global batch of {}", opts.first, opts.first + opts.rows, opts.global_batch);
  require(opts.workers >= 0 && opts.prefetch >= 1, "loader: {} workers, {} batches ahead; expected at least 0 and 1",
          opts.workers, opts.prefetch);
  require(samples.size() == data.size(), "loader: a sampler over {} of {} samples", samples.size(), data.size());
  slots.resize(static_cast<std::size_t>(depth));
  for (std::int64_t i = 0; i < opts.workers; ++i) {
    workers.emplace_back([this, writer = RowWriter(dataset, augmentation)](const std::stop_token& stop) mutable {
      if (options.workers > 1) leave_a_single_cpu();
      work(stop, writer);
    });
  }
}

Batch Loader::Impl::build(std::int64_t k, RowWriter& writer) const {
  Batch batch = empty_batch(augmentation.image(), options.rows, options.dtype, *options.pool);
  batch.attempted = k;
  batch.first_position = options.first;
  const std::int64_t first = k * options.global_batch + options.first;
  for (std::int64_t row = 0; row < options.rows; ++row) writer.write(batch, row, sampler.at(first + row), true);
  return batch;
}

void Loader::Impl::work(const std::stop_token& stop, RowWriter& writer) {
  std::unique_lock lock(mutex);
  while (may_work.wait(lock, stop, [this] { return wanted >= 0 && claim < wanted + depth; })) {
    const std::int64_t k = claim++;
    const std::uint64_t begun = generation;
    Slot built{.ready = true, .batch = {}, .error = {}};
    lock.unlock();
    try {
      built.batch = build(k, writer);
    } catch (...) {
      built.error = std::current_exception();
    }
    lock.lock();
    if (begun != generation) continue;
    slot(k) = std::move(built);
    is_ready.notify_one();
  }
}

Batch Loader::Impl::take(std::int64_t k) {
  std::unique_lock lock(mutex);
  if (k != wanted) {
    ++generation;
    wanted = claim = k;
    for (Slot& old : slots) old = Slot{};
    may_work.notify_all();
  }
  is_ready.wait(lock, [&] { return slot(k).ready; });
  Slot taken = std::exchange(slot(k), Slot{});
  wanted = k + 1;
  lock.unlock();
  may_work.notify_one();
  if (taken.error) std::rethrow_exception(taken.error);
  return std::move(taken.batch);
}

Loader::Loader(const Dataset& dataset, Augmentation augmentation, Sampler sampler, LoaderOptions options)
    : impl_(std::make_unique<Impl>(dataset, std::move(augmentation), sampler, options)) {}

Loader::~Loader() = default;

Batch Loader::get(std::int64_t k) {
  require(k >= 0, "loader: batch {} asked for", k);
  const auto begin = std::chrono::steady_clock::now();
  Batch batch = impl_->workers.empty() ? impl_->build(k, impl_->own_writer) : impl_->take(k);
  impl_->wait_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return batch;
}

double Loader::wait_s() const {
  return impl_->wait_s;
}

Batch evaluation_block(const Dataset& dataset, const Augmentation& augmentation, std::int64_t first, std::int64_t rows,
                       DType dtype, Pool& pool) {
  require(first >= 0 && rows >= 1, "evaluation block of {} rows at {}", rows, first);
  Batch batch = empty_batch(augmentation.image(), rows, dtype, pool);
  batch.first_position = first;
  RowWriter writer(dataset, augmentation);
  const std::int64_t real = std::clamp<std::int64_t>(dataset.size() - first, 0, rows);
  for (std::int64_t row = 0; row < real; ++row) writer.write(batch, row, {.epoch = 0, .index = first + row}, false);
  if (real < rows) {
    const Tensor rest = batch.images.rows(real, rows);
    std::memset(rest.raw(), 0, rest.bytes());
    std::fill(batch.labels.data<std::int32_t>() + real, batch.labels.data<std::int32_t>() + rows, -1);
  }
  return batch;
}

}  // namespace mpdist::data
