// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/array.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "src/core/error.hpp"
#include "src/hdf5/call.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::hdf5 {
namespace {

/// HDF5 1.10 finds a chunk by walking over all of them, so listing them takes the square of their number.
constexpr std::int64_t kMostListedChunks = 2000;

/// Paths of the datasets of a file, "train/images": the first 20, then "and more". Groups may link to each other in
/// circles, so depth and number of those that are looked into are bounded.
class DatasetList {
 public:
  explicit DatasetList(const Group& root) { append(root, "", 16); }
  const std::string& text() const { return text_; }

 private:
  void append(const Group& group, const std::string& prefix, int depth) {
    for (const Group::Member& member : group.members()) {
      if (names_left_ == 0 || groups_left_ == 0) break;
      const std::string path = prefix + member.name;
      if (!member.is_group) {
        if (!text_.empty()) text_ += ", ";
        text_ += --names_left_ == 0 ? "and more" : path;
      } else if (depth > 0) {
        --groups_left_;
        append(group.open_group(member.name), path + "/", depth - 1);
      }
    }
  }

  std::string text_;
  int names_left_ = 21, groups_left_ = 1000;
};

File open_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw UsageError(fmt::format("expected an HDF5 file, found no file \"{}\"", path));
  }
  try {
    return File::open(path);
  } catch (const LibraryError& error) {
    throw FormatError(path, "file", fmt::format("expected a whole HDF5 file, found damage ({})", error.what()));
  }
}

/// Whether every group on the way and the dataset itself exist.
bool has_dataset(const Group& root, const std::string& name) {
  const std::size_t slash = name.find('/');
  if (slash == 0) return has_dataset(root, name.substr(1));
  if (name.empty() || !root.has(name.substr(0, slash))) return false;
  const std::vector<Group::Member> members = root.members();
  const bool is_group = std::any_of(members.begin(), members.end(), [&](const Group::Member& member) {
    return member.name == name.substr(0, slash) && member.is_group;
  });
  if (slash == std::string::npos) return !is_group;
  return is_group && has_dataset(root.open_group(name.substr(0, slash)), name.substr(slash + 1));
}

void require_dataset(const File& file, const std::string& path, const std::string& name) {
  if (has_dataset(file.root(), name)) return;
  const std::string list = DatasetList(file.root()).text();
  throw UsageError(fmt::format("{}: expected a dataset \"{}\", found {}; name it in [data]", path, name,
                               list.empty() ? "none at all" : list));
}

ElementType element_type(const Handle& dataset, const std::string& path, const std::string& name) {
  const Handle type(MPDIST_HDF5(H5Dget_type, dataset.id()));
  const H5T_class_t kind = H5Tget_class(type.id());
  const std::size_t bytes = H5Tget_size(type.id());
  const bool native = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  const bool integer = kind == H5T_INTEGER && native && H5Tget_precision(type.id()) == 8 * bytes;
  ElementType found{.bytes = bytes, .big_endian = bytes > 1 && H5Tget_order(type.id()) == H5T_ORDER_BE};
  if (integer) {
    found.kind = MPDIST_HDF5(H5Tget_sign, type.id()) == H5T_SGN_NONE ? ElementType::Kind::unsigned_integer
                                                                     : ElementType::Kind::signed_integer;
    return found;
  }
  if (kind == H5T_FLOAT && native && bytes > 1) {
    std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
    MPDIST_HDF5(H5Tget_fields, type.id(), &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits);
    const std::size_t expected_bits = bytes == 2 ? 5 : bytes == 4 ? 8 : 11;
    if (exponent_bits == expected_bits && mantissa_bits == 8 * bytes - 1 - expected_bits) {
      found.kind = ElementType::Kind::floating;
      return found;
    }
  }
  throw FormatError(path, name, "expected integers or IEEE floats of 16, 32 or 64 bits, found another type");
}

Shape shape_of(const Handle& dataset, const std::string& path, const std::string& name) {
  const Handle space(MPDIST_HDF5(H5Dget_space, dataset.id()));
  const int rank = MPDIST_HDF5(H5Sget_simple_extent_ndims, space.id());
  if (rank < 1 || rank > Shape::kMaxRank) {
    throw FormatError(path, name, fmt::format("expected 1 to {} dimensions, found {}", Shape::kMaxRank, rank));
  }
  std::array<hsize_t, Shape::kMaxRank> extents{};
  MPDIST_HDF5(H5Sget_simple_extent_dims, space.id(), extents.data(), nullptr);
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    if (extents[i] == 0) throw FormatError(path, name, fmt::format("expected data, found extent {} to be 0", i));
    shape.append(static_cast<std::int64_t>(extents[i]));
  }
  return shape;
}

/// The filters of a dataset, where they are those that can be undone without HDF5.
struct Filters {
  bool known = true, shuffled = false, deflated = false;
};

/// Throws Unsupported for a filter that this HDF5 does not have.
Filters filters_of(const Handle& creation, const std::string& path, const std::string& name) {
  Filters filters;
  const int count = MPDIST_HDF5(H5Pget_nfilters, creation.id());
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    std::array<char, 64> filter_name{};
    const H5Z_filter_t filter = MPDIST_HDF5(H5Pget_filter2, creation.id(), static_cast<unsigned>(i), &flags, &values,
                                            nullptr, filter_name.size() - 1, filter_name.data(), &config);
    if (H5Zfilter_avail(filter) <= 0) {
      throw Unsupported(
          fmt::format("{}: {} needs HDF5's filter {} ({}), which is not installed; write the file again "
                      "with gzip (h5repack -f GZIP=4) or set HDF5_PLUGIN_PATH",
                      path, name, static_cast<int>(filter), filter_name.data()));
    }
    if (filter == H5Z_FILTER_SHUFFLE && !filters.deflated && !filters.shuffled) {
      filters.shuffled = true;
    } else if (filter == H5Z_FILTER_DEFLATE && !filters.deflated) {
      filters.deflated = true;
    } else {
      filters.known = false;
    }
  }
  return filters;
}

/// Whether HDF5's part of the file begins further on. HDF5 1.10 counts the addresses of chunks from there, not from the
/// start of the file.
bool has_user_block(const File& file) {
  const Handle creation(MPDIST_HDF5(H5Fget_create_plist, file.id()));
  hsize_t bytes = 0;
  MPDIST_HDF5(H5Pget_userblock, creation.id(), &bytes);
  return bytes != 0;
}

}  // namespace

std::string ElementType::name() const {
  const char* word = kind == Kind::floating ? "float" : kind == Kind::signed_integer ? "int" : "uint";
  return fmt::format("{}{}{}", word, 8 * bytes, big_endian ? " (big endian)" : "");
}

struct Array::Impl {
  std::string path, name;
  File file;
  Handle dataset;
  Shape shape;
  ElementType type;
  std::int64_t block_rows = 1;
  std::vector<StoredBlock> stored;  ///< by block; empty: read through HDF5

  Impl(const std::string& file_path, const std::string& dataset_name)
      : path(file_path), name(dataset_name), file(open_file(file_path)) {}

  std::size_t row_bytes() const { return static_cast<std::size_t>(shape.elements() / shape[0]) * type.bytes; }
  void find_layout();
  void find_contiguous();
  void find_chunks(const Handle& creation);
};

void Array::Impl::find_layout() {
  const Handle creation(MPDIST_HDF5(H5Dget_create_plist, dataset.id()));
  const H5D_layout_t layout = H5Pget_layout(creation.id());
  if (layout == H5D_CHUNKED) {
    find_chunks(creation);
  } else if (layout == H5D_CONTIGUOUS && MPDIST_HDF5(H5Pget_external_count, creation.id()) == 0) {
    find_contiguous();
  }
}

void Array::Impl::find_contiguous() {
  const haddr_t address = H5Dget_offset(dataset.id());
  if (address == HADDR_UNDEF) return;  // never written: HDF5 knows its fill value
  const std::uint64_t bytes = row_bytes(), size = std::filesystem::file_size(path);
  if (address + bytes * static_cast<std::uint64_t>(shape[0]) > size) {
    throw FormatError(path, name,
                      fmt::format("expected {} bytes from byte {} on, found a file of {} bytes: it is cut short",
                                  bytes * static_cast<std::uint64_t>(shape[0]), address, size));
  }
  stored.resize(static_cast<std::size_t>(shape[0]));
  for (std::size_t row = 0; row < stored.size(); ++row) stored[row] = {.offset = address + row * bytes, .bytes = bytes};
}

/// Chunks that span whole rows lie in one piece; of others HDF5 puts a block together.
void Array::Impl::find_chunks(const Handle& creation) {
  std::array<hsize_t, Shape::kMaxRank> chunk{};
  MPDIST_HDF5(H5Pget_chunk, creation.id(), shape.rank(), chunk.data());
  block_rows = std::min(static_cast<std::int64_t>(chunk[0]), shape[0]);
  const Filters filters = filters_of(creation, path, name);
  bool whole = filters.known && static_cast<std::int64_t>(chunk[0]) == block_rows;
  for (int i = 1; i < shape.rank(); ++i) whole = whole && static_cast<std::int64_t>(chunk[i]) == shape[i];
  const std::int64_t blocks = (shape[0] + block_rows - 1) / block_rows;
  if (!whole || blocks > kMostListedChunks || has_user_block(file)) return;
  const std::uint64_t size = std::filesystem::file_size(path);
  std::vector<StoredBlock> found(static_cast<std::size_t>(blocks));
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::array<hsize_t, Shape::kMaxRank> at{static_cast<hsize_t>(block * block_rows)};
    unsigned skipped = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t bytes = 0;
    MPDIST_HDF5(H5Dget_chunk_info_by_coord, dataset.id(), at.data(), &skipped, &address, &bytes);
    if (address == HADDR_UNDEF || skipped != 0) return;  // never written, or a filter that gave up on this chunk
    if (address + bytes > size) {
      throw FormatError(path, fmt::format("{}, rows from {}", name, block * block_rows),
                        fmt::format("expected {} bytes from byte {} on, found a file of {} bytes: it is cut short",
                                    bytes, address, size));
    }
    found[static_cast<std::size_t>(block)] = {
        .offset = address, .bytes = bytes, .shuffled = filters.shuffled, .deflated = filters.deflated};
  }
  stored = std::move(found);
}

Array Array::open(const std::string& path, const std::string& name) {
  const LibraryLock lock;
  auto impl = std::make_unique<Impl>(path, name);
  try {
    require_dataset(impl->file, path, name);
    impl->dataset = Handle(MPDIST_HDF5(H5Dopen2, impl->file.id(), name.c_str(), H5P_DEFAULT));
    impl->shape = shape_of(impl->dataset, path, name);
    impl->type = element_type(impl->dataset, path, name);
    impl->find_layout();
  } catch (const LibraryError& error) {
    throw FormatError(path, name, fmt::format("expected a readable dataset, found damage ({})", error.what()));
  }
  return Array(std::move(impl));
}

Array::Array(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Array::Array(Array&&) noexcept = default;
Array& Array::operator=(Array&&) noexcept = default;
Array::~Array() = default;

const Shape& Array::shape() const {
  return impl_->shape;
}
const ElementType& Array::type() const {
  return impl_->type;
}
std::int64_t Array::block_rows() const {
  return impl_->block_rows;
}
std::size_t Array::row_bytes() const {
  return impl_->row_bytes();
}

const StoredBlock* Array::stored(std::int64_t block) const {
  return impl_->stored.empty() ? nullptr : &impl_->stored.at(static_cast<std::size_t>(block));
}

void Array::read(std::int64_t first, std::int64_t rows, std::span<std::byte> out) const {
  const Shape& shape = impl_->shape;
  require(
      first >= 0 && rows >= 1 && first + rows <= shape[0] && out.size() == static_cast<std::size_t>(rows) * row_bytes(),
      "rows [{}, {}) of {} into {} bytes", first, first + rows, shape.to_string(), out.size());
  std::array<hsize_t, Shape::kMaxRank> start{static_cast<hsize_t>(first)}, count{static_cast<hsize_t>(rows)};
  for (int i = 1; i < shape.rank(); ++i) count[i] = static_cast<hsize_t>(shape[i]);
  try {
    const Handle type(MPDIST_HDF5(H5Dget_type, impl_->dataset.id()));
    const Handle file_space(MPDIST_HDF5(H5Dget_space, impl_->dataset.id()));
    const Handle memory_space(MPDIST_HDF5(H5Screate_simple, shape.rank(), count.data(), nullptr));
    MPDIST_HDF5(H5Sselect_hyperslab, file_space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    MPDIST_HDF5(H5Dread, impl_->dataset.id(), type.id(), memory_space.id(), file_space.id(), H5P_DEFAULT, out.data());
  } catch (const LibraryError& error) {
    throw FormatError(impl_->path, fmt::format("{}, rows from {}", impl_->name, first),
                      fmt::format("expected readable data, found damage ({})", error.what()));
  }
}

}  // namespace mpdist::hdf5
