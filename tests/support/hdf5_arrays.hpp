// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <hdf5.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mpdist::test {

/// How put_array() lays an array out; without chunk extents in one piece.
struct ArrayLayout {
  std::vector<hsize_t> chunk = {};
  bool shuffle = false;
  int deflate = 0;
  bool checksum = false;  ///< HDF5's fletcher32
  bool compact = false;
  hsize_t user_block = 0;  ///< bytes, of a new file
};

/// Writes `values` as dataset `name` ("train/images") of type `file_type` into an HDF5 file that is made when it is not
/// there. `memory_type` is the type of `values`.
inline void put_array(const std::string& path, const std::string& name, const std::vector<hsize_t>& shape,
                      hid_t file_type, hid_t memory_type, const void* values, const ArrayLayout& layout = {}) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  if (file < 0) {
    const hid_t of_file = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(of_file, layout.user_block);
    file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, of_file, H5P_DEFAULT);
    H5Pclose(of_file);
  }
  const hid_t links = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  std::vector<hsize_t> chunk = layout.chunk;  // HDF5 takes none that are larger than the array
  for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = std::min(chunk[i], shape[i]);
  if (!chunk.empty()) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  if (layout.compact) H5Pset_layout(creation, H5D_COMPACT);
  if (layout.shuffle) H5Pset_shuffle(creation);
  if (layout.deflate > 0) H5Pset_deflate(creation, static_cast<unsigned>(layout.deflate));
  if (layout.checksum) H5Pset_fletcher32(creation);
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name.c_str(), file_type, space, links, creation, H5P_DEFAULT);
  H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(creation);
  H5Pclose(links);
  H5Fclose(file);
}

/// The IEEE binary16 type that numpy writes as float16.
inline hid_t binary16() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

}  // namespace mpdist::test
