// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/sparse_memory.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "src/hdf5/file.hpp"

namespace mpdist::hdf5 {
namespace {

TEST(SparseMemory, HoldsWhatWasWrittenAcrossBlocksAndZerosElsewhere) {
  SparseMemory memory;
  const std::string text = "across the border of two blocks";
  memory.write(4096 * 3 - 10, text.data(), text.size());
  EXPECT_EQ(memory.size(), 4096 * 3 - 10 + text.size());
  std::string found(text.size() + 4, 'x');
  memory.read(4096 * 3 - 12, found.data(), found.size());
  EXPECT_EQ(found, std::string(2, '\0') + text + std::string(2, '\0'));
  memory.resize(1 << 20);
  EXPECT_EQ(memory.size(), 1u << 20);
}

/// The same calls give the same file in memory and on disk, so that a copy of the memory is a good file.
TEST(SparseMemory, ReceivesTheFileThatADiskWould) {
  std::string folder = (std::filesystem::temp_directory_path() / "mpdist_hdf5_XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto fill = [](File file) {
    Group root = file.root();
    for (int i = 0; i < 40; ++i) {
      const std::vector<float> values(500, static_cast<float>(i));
      Dataset dataset = root.create_dataset("tensor" + std::to_string(i), {500}, DType::fp32);
      dataset.write(values.data());
      dataset.create_attribute("crc32c", std::int64_t{i});
    }
    root.create_attribute("config", std::string(200000, 'c'));
  };
  SparseMemory memory;
  fill(File::create(memory, 512));
  fill(File::create(folder + "/disk.h5", 512));
  std::string bytes(memory.size(), 'x');
  memory.read(0, bytes.data(), bytes.size());
  std::ofstream(folder + "/copy.h5", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));

  for (const char* name : {"/copy.h5", "/disk.h5"}) {
    const Group root = File::open(folder + name).root();
    ASSERT_EQ(root.members().size(), 40u) << name;
    std::vector<float> values(500);
    root.open_dataset("tensor7").read(values.data());
    EXPECT_EQ(values, std::vector<float>(500, 7.0F)) << name;
    EXPECT_EQ(root.attribute("config"), Scalar(std::string(200000, 'c'))) << name;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace mpdist::hdf5
