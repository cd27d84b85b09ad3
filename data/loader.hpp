// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>

#include "data/augmentation.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "src/core/tensor.hpp"

namespace mpdist::data {

/// This rank's part of one global batch, ready for the network.
struct Batch {
  std::int64_t attempted = 0;       ///< which batch: k
  std::int64_t first_position = 0;  ///< place of row 0 in the global batch, in [0, B)
  Tensor images;                    ///< [rows, h, w, c] compute type
  Tensor labels;                    ///< [rows] int32
};

struct LoaderOptions {
  std::int64_t global_batch = 0;
  std::int64_t first = 0;  ///< this rank's part of each batch: positions [first, first+rows)
  std::int64_t rows = 0;
  DType dtype = DType::fp32;
  std::int64_t workers = 1;    ///< prefetch threads; 0 prepares batches in the calling thread
  std::int64_t prefetch = 2;   ///< batches prepared ahead; at least one a worker, so that none idles
  Pool* pool = &Pool::host();  ///< of the batches: host memory
  std::int64_t ahead() const { return workers == 0 ? 0 : std::max(prefetch, workers); }
};

/// Prepares batches k, k+1, ... in background threads. The content of a batch depends on k alone, never on threads or
/// ranks. An exception in a thread is thrown again by get().
class Loader {
 public:
  Loader(const Dataset& dataset, Augmentation augmentation, Sampler sampler, LoaderOptions options);
  ~Loader();
  /// Batch k. Consecutive k are served from the prefetch queue; any other k restarts it there. The batch's memory stays
  /// valid as long as the Batch is held.
  Batch get(std::int64_t k);
  /// Seconds spent waiting inside get() since the start.
  double wait_s() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Block [first, first+rows) of a data set in data order for evaluation, not augmented; rows past the end are zero
/// images with label -1.
Batch evaluation_block(const Dataset& dataset, const Augmentation& augmentation, std::int64_t first, std::int64_t rows,
                       DType dtype, Pool& pool = Pool::host());

}  // namespace mpdist::data
