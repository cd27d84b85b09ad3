// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "src/core/error.hpp"
#include "src/hdf5/call.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::hdf5 {
namespace {

Handle text_type() {
  Handle type(MPDIST_HDF5(H5Tcopy, H5T_C_S1));
  MPDIST_HDF5(H5Tset_size, type.id(), H5T_VARIABLE);
  MPDIST_HDF5(H5Tset_cset, type.id(), H5T_CSET_UTF8);
  return type;
}

void create(std::int64_t object, const std::string& name, std::int64_t file_type, std::int64_t memory_type,
            const void* value) {
  const Handle space(MPDIST_HDF5(H5Screate, H5S_SCALAR));
  const Handle attribute(
      MPDIST_HDF5(H5Acreate2, object, name.c_str(), file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT));
  MPDIST_HDF5(H5Awrite, attribute.id(), memory_type, value);
}

std::string read_fixed_text(std::int64_t attribute, std::int64_t type) {
  const LibraryLock lock;
  std::string text(H5Tget_size(type), '\0');
  MPDIST_HDF5(H5Aread, attribute, type, text.data());
  text.resize(std::find(text.begin(), text.end(), '\0') - text.begin());
  return text;
}

std::string read_text(std::int64_t attribute, std::int64_t type) {
  if (MPDIST_HDF5(H5Tis_variable_str, type) == 0) return read_fixed_text(attribute, type);
  char* text = nullptr;
  MPDIST_HDF5(H5Aread, attribute, type, &text);
  const std::unique_ptr<char, herr_t (*)(void*)> owner(text, H5free_memory);
  return text ? text : "";
}

}  // namespace

void Object::create_attribute(const std::string& name, const Scalar& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    create(handle_.id(), name, H5T_STD_I64LE, H5T_NATIVE_INT64, integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    create(handle_.id(), name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, real);
  } else {
    const std::string& text = std::get<std::string>(value);
    require(text.find('\0') == std::string::npos, "attribute {}: a text holds no NUL", name);
    const Handle type = text_type();
    const char* pointer = text.c_str();
    create(handle_.id(), name, type.id(), type.id(), &pointer);
  }
}

Scalar Object::attribute(const std::string& name) const {
  const Handle attribute(MPDIST_HDF5(H5Aopen, handle_.id(), name.c_str(), H5P_DEFAULT));
  const Handle space(MPDIST_HDF5(H5Aget_space, attribute.id()));
  const Handle type(MPDIST_HDF5(H5Aget_type, attribute.id()));
  if (MPDIST_HDF5(H5Sget_simple_extent_npoints, space.id()) != 1)
    throw Unsupported("HDF5 attribute " + name + " is not a scalar");
  switch (MPDIST_HDF5(H5Tget_class, type.id())) {
    case H5T_INTEGER: {
      std::int64_t value = 0;
      MPDIST_HDF5(H5Aread, attribute.id(), H5T_NATIVE_INT64, &value);
      return value;
    }
    case H5T_FLOAT: {
      double value = 0;
      MPDIST_HDF5(H5Aread, attribute.id(), H5T_NATIVE_DOUBLE, &value);
      return value;
    }
    case H5T_STRING:
      return read_text(attribute.id(), type.id());
    default:
      throw Unsupported("HDF5 attribute " + name + " is neither integer nor float nor text");
  }
}

std::vector<std::string> Object::attribute_names() const {
  std::vector<std::string> names;
  const auto append = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  MPDIST_HDF5(H5Aiterate2, handle_.id(), H5_INDEX_NAME, H5_ITER_INC, &position, append, &names);
  return names;
}

}  // namespace mpdist::hdf5
