// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/core/tensor.hpp"

namespace mpdist::checkpoint {

/// One FP32 tensor by its path below the root, "master/conv1.weight" or "optimizer/momentum/conv1.weight".
struct NamedTensor {
  std::string path;
  Tensor values;  ///< FP32, logical shape; in host memory wherever a file is read or written
};

/// Everything a resumed run needs, and what describes the run. Scalars are stored as HDF5 attributes of the groups
/// /scaler, /schedule, /data, /random, /run, so that h5dump and h5py show them under their names.
struct Checkpoint {
  std::vector<NamedTensor> tensors;  ///< master/, optimizer/<slot>/, ema/, statistics/
  /// "run/step", "scaler/tracker", ... Integers are exact, doubles are stored as doubles.
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, double> reals;
  std::map<std::string, std::string> texts;  ///< "run/config", "run/versions", ...
};

/// Writes `path` by way of a temporary name in the same folder (host, pid and start time in it): data in slabs of 8 MB,
/// a 512-byte user block with length and CRC32C of the rest, fsync, rename, fsync of the folder. After an error the
/// temporary is removed and `path` is as it was. Throws LibraryError, or Error(retry) when the disk is full.
void write(const std::string& path, const Checkpoint& checkpoint);

/// Verifies the user block before HDF5 opens the file, then each dataset's CRC32C. Throws FormatError naming the file,
/// the place, expected and found.
Checkpoint read(const std::string& path);

}  // namespace mpdist::checkpoint
