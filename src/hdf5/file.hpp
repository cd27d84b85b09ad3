// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "src/core/dtype.hpp"
#include "src/core/shape.hpp"
#include "src/hdf5/handle.hpp"
#include "src/hdf5/sparse_memory.hpp"

namespace mpdist::hdf5 {

/// A scalar attribute: a 64-bit integer, a double, or UTF-8 text without NUL.
using Scalar = std::variant<std::int64_t, double, std::string>;

/// A group or dataset: what attributes hang on. All functions here throw LibraryError with the innermost line of HDF5's
/// error stack; HDF5 itself prints nothing.
class Object {
 public:
  explicit Object(Handle handle) : handle_(std::move(handle)) {}

  void create_attribute(const std::string& name, const Scalar& value);
  /// Integers of any width come as int64, floats of any width as double. Throws Unsupported for other types and for
  /// arrays.
  Scalar attribute(const std::string& name) const;
  std::vector<std::string> attribute_names() const;  ///< sorted

 protected:
  Handle handle_;
};

/// An array of fp32, fp64, int32, int64 or uint8 with up to Shape::kMaxRank dimensions.
class Dataset : public Object {
 public:
  using Object::Object;
  Shape shape() const;  ///< throws Unsupported above kMaxRank dimensions
  DType dtype() const;  ///< throws Unsupported for a type that is none of ours

  void write(const void* elements);  ///< all of them, in the dataset's own type
  /// Rows [first, first+rows) of the outermost dimension, one behind another.
  void write_rows(std::int64_t first, std::int64_t rows, const void* elements);
  void read(void* elements) const;

  /// Where the elements of a contiguous dataset begin, in bytes from the start of the file, user block included. Throws
  /// LibraryError for other layouts.
  std::uint64_t offset() const;
};

/// Chunks of whole rows; without rows an array lies in one piece.
struct ChunkLayout {
  std::int64_t rows = 0;     ///< of a chunk, at most those of the array
  std::int64_t deflate = 0;  ///< level 1 to 9; 0: none
};

class Group : public Object {
 public:
  using Object::Object;
  Group create_group(const std::string& name);
  Group open_group(const std::string& name) const;
  bool has(const std::string& name) const;

  /// Space is allocated at once (but for deflated chunks) and not filled, no time stamps: equal contents give equal
  /// files.
  Dataset create_dataset(const std::string& name, const Shape& shape, DType dtype, const ChunkLayout& layout = {});
  Dataset open_dataset(const std::string& name) const;

  struct Member {
    std::string name;
    bool is_group = false;  ///< else a dataset
  };
  std::vector<Member> members() const;  ///< sorted by name; links to anything else are left out
};

class File {
 public:
  /// A new file, in place of an existing one, that begins with `user_block_bytes` bytes (0, or a power of two from 512)
  /// that HDF5 leaves alone.
  static File create(const std::string& path, std::uint64_t user_block_bytes = 0);
  /// The same in memory, which outlives the file.
  static File create(SparseMemory& memory, std::uint64_t user_block_bytes = 0);
  /// For reading.
  static File open(const std::string& path);

  Group root() const;
  std::int64_t id() const { return handle_.id(); }  ///< for the sources of this folder

  /// Writes what is cached and closes; the destructor closes too but cannot report a failure.
  void close();

 private:
  explicit File(Handle handle) : handle_(std::move(handle)) {}
  Handle handle_;
};

}  // namespace mpdist::hdf5
