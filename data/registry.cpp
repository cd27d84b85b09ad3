// SPDX-License-Identifier: Apache-2.0
#include "data/registry.hpp"

#include "data/formats/cifar10.hpp"
#include "data/formats/hdf5.hpp"
#include "data/formats/idx.hpp"
#include "data/formats/images.hpp"
#include "data/formats/synthetic.hpp"

namespace mpdist::data {
namespace {

/// One row of the table. `open` gets the options that the row's own `options` made.
template <class FormatOptions, class Open>
Format format(const char* name, const char* help, Open open) {
  return {.name = name,
          .help = help,
          .options = [] { return std::make_unique<FormatOptions>(); },
          .open = [open](const Options& options, const std::string& path,
                         std::uint64_t seed) { return open(dynamic_cast<const FormatOptions&>(options), path, seed); }};
}

}  // namespace

const std::vector<Format>& formats() {
  static const std::vector<Format> table = {
      format<IdxOptions>(
          "idx", "folder of MNIST-style IDX files, plain or gzip-compressed",
          [](const auto& options, const std::string& path, std::uint64_t) { return open_idx(options, path); }),
      format<Cifar10Options>(
          "cifar10", "folder of CIFAR-10's or CIFAR-100's binary files",
          [](const auto& options, const std::string& path, std::uint64_t) { return open_cifar10(options, path); }),
      format<Hdf5Options>(
          "hdf5", "images and labels of an HDF5 file",
          [](const auto& options, const std::string& path, std::uint64_t) { return open_hdf5(options, path); }),
      format<ImagesOptions>(
          "images", "folder of JPEG and PNG files, one folder a class",
          [](const auto& options, const std::string& path, std::uint64_t) { return open_images(options, path); }),
      format<SyntheticOptions>(
          "synthetic", "class patterns under noise, computed; path is not used",
          [](const auto& options, const std::string&, std::uint64_t seed) { return open_synthetic(options, seed); }),
  };
  return table;
}

}  // namespace mpdist::data
