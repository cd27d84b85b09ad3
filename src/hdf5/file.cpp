// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/file.hpp"

#include <array>

#include "src/core/error.hpp"
#include "src/hdf5/call.hpp"
#include "src/hdf5/memory_driver.hpp"

namespace mpdist::hdf5 {
namespace {

struct TypePair {
  DType dtype;
  std::int64_t file, memory;
};

std::array<TypePair, 5> type_table() {
  return {{{DType::fp32, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT},
           {DType::fp64, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE},
           {DType::int32, H5T_STD_I32LE, H5T_NATIVE_INT32},
           {DType::int64, H5T_STD_I64LE, H5T_NATIVE_INT64},
           {DType::uint8, H5T_STD_U8LE, H5T_NATIVE_UINT8}}};
}

TypePair types_of(DType dtype) {
  for (const TypePair& pair : type_table()) {
    if (pair.dtype == dtype) return pair;
  }
  throw Unsupported(fmt::format("HDF5 datasets hold fp32, fp64, int32, int64 or uint8, not {}", name_of(dtype)));
}

Handle without_times(std::int64_t property_class) {
  Handle properties(MPDIST_HDF5(H5Pcreate, property_class));
  MPDIST_HDF5(H5Pset_obj_track_times, properties.id(), false);
  return properties;
}

Handle create_file(const std::string& path, std::uint64_t user_block_bytes, const Handle& access) {
  const Handle creation = without_times(H5P_FILE_CREATE);
  MPDIST_HDF5(H5Pset_userblock, creation.id(), user_block_bytes);
  // The format of HDF5 1.8 stores attributes above 64 KiB (a config text); older ones refuse them.
  MPDIST_HDF5(H5Pset_libver_bounds, access.id(), H5F_LIBVER_V18, H5F_LIBVER_LATEST);
  return Handle(MPDIST_HDF5(H5Fcreate, path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()));
}

}  // namespace

Shape Dataset::shape() const {
  const Handle space(MPDIST_HDF5(H5Dget_space, handle_.id()));
  const int rank = MPDIST_HDF5(H5Sget_simple_extent_ndims, space.id());
  if (rank > Shape::kMaxRank)
    throw Unsupported(fmt::format("HDF5 dataset of {} dimensions; at most {}", rank, Shape::kMaxRank));
  std::array<hsize_t, Shape::kMaxRank> extents{};
  MPDIST_HDF5(H5Sget_simple_extent_dims, space.id(), extents.data(), nullptr);
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.append(static_cast<std::int64_t>(extents[i]));
  return shape;
}

DType Dataset::dtype() const {
  const Handle type(MPDIST_HDF5(H5Dget_type, handle_.id()));
  for (const TypePair& pair : type_table()) {
    if (MPDIST_HDF5(H5Tequal, type.id(), pair.file) > 0) return pair.dtype;
  }
  throw Unsupported("HDF5 dataset's type is none of fp32, fp64, int32, int64, uint8 (little endian)");
}

void Dataset::write(const void* elements) {
  MPDIST_HDF5(H5Dwrite, handle_.id(), types_of(dtype()).memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements);
}

void Dataset::write_rows(std::int64_t first, std::int64_t rows, const void* elements) {
  const Shape all = shape();
  std::array<hsize_t, Shape::kMaxRank> start{static_cast<hsize_t>(first)}, count{static_cast<hsize_t>(rows)};
  for (int i = 1; i < all.rank(); ++i) count[i] = static_cast<hsize_t>(all[i]);
  const Handle file_space(MPDIST_HDF5(H5Dget_space, handle_.id()));
  const Handle memory_space(MPDIST_HDF5(H5Screate_simple, all.rank(), count.data(), nullptr));
  MPDIST_HDF5(H5Sselect_hyperslab, file_space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  MPDIST_HDF5(H5Dwrite, handle_.id(), types_of(dtype()).memory, memory_space.id(), file_space.id(), H5P_DEFAULT,
              elements);
}

void Dataset::read(void* elements) const {
  MPDIST_HDF5(H5Dread, handle_.id(), types_of(dtype()).memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements);
}

std::uint64_t Dataset::offset() const {
  const LibraryLock lock;
  silence();
  const haddr_t address = H5Dget_offset(handle_.id());
  if (address == HADDR_UNDEF) throw_last_error("H5Dget_offset");
  return address;
}

Group Group::create_group(const std::string& name) {
  const Handle properties = without_times(H5P_GROUP_CREATE);
  return Group(Handle(MPDIST_HDF5(H5Gcreate2, handle_.id(), name.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT)));
}

Group Group::open_group(const std::string& name) const {
  return Group(Handle(MPDIST_HDF5(H5Gopen2, handle_.id(), name.c_str(), H5P_DEFAULT)));
}

bool Group::has(const std::string& name) const {
  return MPDIST_HDF5(H5Lexists, handle_.id(), name.c_str(), H5P_DEFAULT) > 0;
}

Dataset Group::create_dataset(const std::string& name, const Shape& shape, DType dtype, const ChunkLayout& layout) {
  std::array<hsize_t, Shape::kMaxRank> extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  const Handle space(shape.rank() == 0 ? MPDIST_HDF5(H5Screate, H5S_SCALAR)
                                       : MPDIST_HDF5(H5Screate_simple, shape.rank(), extents.data(), nullptr));
  const Handle properties = without_times(H5P_DATASET_CREATE);
  if (layout.rows > 0) {
    std::array<hsize_t, Shape::kMaxRank> chunk = extents;
    chunk[0] = static_cast<hsize_t>(layout.rows);
    MPDIST_HDF5(H5Pset_chunk, properties.id(), shape.rank(), chunk.data());
    if (layout.deflate > 0) MPDIST_HDF5(H5Pset_deflate, properties.id(), static_cast<unsigned>(layout.deflate));
  }
  if (layout.deflate == 0) MPDIST_HDF5(H5Pset_alloc_time, properties.id(), H5D_ALLOC_TIME_EARLY);
  MPDIST_HDF5(H5Pset_fill_time, properties.id(), H5D_FILL_TIME_NEVER);
  return Dataset(Handle(MPDIST_HDF5(H5Dcreate2, handle_.id(), name.c_str(), types_of(dtype).file, space.id(),
                                    H5P_DEFAULT, properties.id(), H5P_DEFAULT)));
}

Dataset Group::open_dataset(const std::string& name) const {
  return Dataset(Handle(MPDIST_HDF5(H5Dopen2, handle_.id(), name.c_str(), H5P_DEFAULT)));
}

std::vector<Group::Member> Group::members() const {
  std::vector<Member> members;
  const auto append = [](hid_t group, const char* name, const H5L_info_t*, void* out) -> herr_t {
    H5O_info_t info;
    if (H5Oget_info_by_name2(group, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return -1;
    if (info.type != H5O_TYPE_GROUP && info.type != H5O_TYPE_DATASET) return 0;
    static_cast<std::vector<Member>*>(out)->push_back({name, info.type == H5O_TYPE_GROUP});
    return 0;
  };
  hsize_t position = 0;
  MPDIST_HDF5(H5Literate, handle_.id(), H5_INDEX_NAME, H5_ITER_INC, &position, append, &members);
  return members;
}

File File::create(const std::string& path, std::uint64_t user_block_bytes) {
  const Handle access(MPDIST_HDF5(H5Pcreate, H5P_FILE_ACCESS));
  return File(create_file(path, user_block_bytes, access));
}

File File::create(SparseMemory& memory, std::uint64_t user_block_bytes) {
  return File(create_file("memory", user_block_bytes, access_in(memory)));
}

File File::open(const std::string& path) {
  return File(Handle(MPDIST_HDF5(H5Fopen, path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)));
}

Group File::root() const {
  return Group(Handle(MPDIST_HDF5(H5Gopen2, handle_.id(), "/", H5P_DEFAULT)));
}

void File::close() {
  MPDIST_HDF5(H5Fflush, handle_.id(), H5F_SCOPE_GLOBAL);
  MPDIST_HDF5(H5Fclose, handle_.release());
}

}  // namespace mpdist::hdf5
