// SPDX-License-Identifier: Apache-2.0
// A virtual file driver of HDF5 ("HDF5 Virtual File Layer", The HDF Group) whose file is a SparseMemory. Addresses that
// the callbacks get are offsets from the first byte of the file, user block included.
#include "src/hdf5/memory_driver.hpp"

#include "src/hdf5/call.hpp"
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <limits>
#include <new>

namespace mpdist::hdf5 {
namespace {

struct MemoryFile {
  H5FD_t base{};  ///< first: HDF5 sees no more of it
  SparseMemory* memory = nullptr;
  haddr_t allocated = 0;
};

MemoryFile& self(H5FD_t* file) {
  return *reinterpret_cast<MemoryFile*>(file);
}
const MemoryFile& self(const H5FD_t* file) {
  return *reinterpret_cast<const MemoryFile*>(file);
}

H5FD_t* open_file(const char*, unsigned, hid_t access, haddr_t) {
  const auto* memory = static_cast<SparseMemory* const*>(H5Pget_driver_info(access));
  auto* file = memory ? new (std::nothrow) MemoryFile : nullptr;
  if (!file) return nullptr;
  file->memory = *memory;
  return &file->base;
}

herr_t close_file(H5FD_t* file) {
  delete &self(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags) *flags = H5FD_FEAT_AGGREGATE_METADATA;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) {
  return self(file).allocated;
}

herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  self(file).allocated = address;
  return 0;
}

haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) {
  return self(file).memory->size();
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t bytes, void* out) {
  self(file).memory->read(address, out, bytes);
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t bytes, const void* data) {
  try {
    self(file).memory->write(address, data, bytes);
    return 0;
  } catch (const std::bad_alloc&) {  // no exception may pass through HDF5
    return -1;
  }
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  self(file).memory->resize(self(file).allocated);
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t driver{};
#if H5_VERSION_GE(1, 13, 0)
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(H5_VFD_RESERVED + 77);
#endif
  driver.name = "mpdist_memory";
  driver.maxaddr = std::numeric_limits<std::int64_t>::max();
  driver.fc_degree = H5F_CLOSE_WEAK;
  driver.fapl_size = sizeof(SparseMemory*);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_eoa;
  driver.set_eoa = set_eoa;
  driver.get_eof = get_eof;
  driver.read = read;
  driver.write = write;
  driver.truncate = truncate;
  for (H5FD_mem_t& kind : driver.fl_map)
    kind = H5FD_MEM_SUPER;  // one kind of free list for all, as the file has one end
  return driver;
}

}  // namespace

Handle access_in(SparseMemory& memory) {
  static const H5FD_class_t driver = driver_class();
  static const hid_t id = MPDIST_HDF5(H5FDregister, &driver);
  Handle access(MPDIST_HDF5(H5Pcreate, H5P_FILE_ACCESS));
  const SparseMemory* const pointer = &memory;
  MPDIST_HDF5(H5Pset_driver, access.id(), id, &pointer);
  return access;
}

}  // namespace mpdist::hdf5
