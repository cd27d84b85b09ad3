// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/layout.hpp"

#include <algorithm>

#include "src/checkpoint/crc32c.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::checkpoint {
namespace {

/// Opens or makes the group that holds `path`, and returns it with the last component.
std::pair<hdf5::Group, std::string> parent_of(const hdf5::File& file, const std::string& path) {
  hdf5::Group group = file.root();
  std::size_t begin = 0;
  for (std::size_t slash; (slash = path.find('/', begin)) != std::string::npos; begin = slash + 1) {
    const std::string name = path.substr(begin, slash - begin);
    require(!name.empty() && name != ".", "checkpoint path {} has an empty component", path);
    group = group.has(name) ? group.open_group(name) : group.create_group(name);
  }
  const std::string leaf = path.substr(begin);
  require(begin > 0 && !leaf.empty() && leaf != ".", "checkpoint path {}: expected group/name", path);
  return {std::move(group), leaf};
}

template <class Value>
void write_scalars(const hdf5::File& file, const std::map<std::string, Value>& scalars) {
  for (const auto& [path, value] : scalars) {
    auto [group, name] = parent_of(file, path);
    group.create_attribute(name, value);
  }
}

std::vector<TensorExtent> write_tensors(const hdf5::File& file, const Checkpoint& checkpoint) {
  std::vector<TensorExtent> extents;
  for (const NamedTensor& tensor : checkpoint.tensors) {
    const float* elements = tensor.values.data<float>();
    auto [group, name] = parent_of(file, tensor.path);
    hdf5::Dataset dataset = group.create_dataset(name, tensor.values.shape(), DType::fp32);
    dataset.create_attribute(kCrcAttribute, std::int64_t{crc32c(elements, tensor.values.bytes())});
    if (tensor.values.bytes() > 0) extents.push_back({dataset.offset(), &tensor});
  }
  std::sort(extents.begin(), extents.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return extents;
}

}  // namespace

std::array<char, kUserBlockBytes> user_block(std::uint64_t length, std::uint32_t crc) {
  std::array<char, kUserBlockBytes> block{};
  const std::string text = fmt::format("mpdist checkpoint 1\nlength {}\ncrc32c {:08x}\n", length, crc);
  std::copy(text.begin(), text.end(), block.begin());
  return block;
}

Layout make_layout(const Checkpoint& checkpoint) {
  Layout layout;
  hdf5::File file = hdf5::File::create(layout.file, kUserBlockBytes);
  layout.extents = write_tensors(file, checkpoint);
  write_scalars(file, checkpoint.integers);
  write_scalars(file, checkpoint.reals);
  write_scalars(file, checkpoint.texts);
  file.close();
  return layout;
}

}  // namespace mpdist::checkpoint
