// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "data/dataset.hpp"

namespace mpdist::data {

/// Own keys of [data] format = "cifar10".
struct Cifar10Options : Options {
  std::string labels = "cifar10";  ///< or "cifar100", "cifar100-coarse"
  std::int64_t records = 0;        ///< in each file; 0: as published
  void describe(Schema& schema) override;
};

/// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky, "The CIFAR-10 dataset"): records of the label (CIFAR-100:
/// coarse label, fine label) and 3 x 32 x 32 bytes, plane after plane. `folder` holds data_batch_1.bin to
/// data_batch_5.bin and test_batch.bin, of CIFAR-100 train.bin and test.bin; all is kept in memory as bytes. Throws
/// UsageError where folder or files are missing, FormatError where a file is cut short, too long or has a label out of
/// range.
Datasets open_cifar10(const Cifar10Options& options, const std::string& folder);

}  // namespace mpdist::data
