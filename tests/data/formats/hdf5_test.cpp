// SPDX-License-Identifier: Apache-2.0
#include "data/formats/hdf5.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include "src/hdf5/array.hpp"
#include "tests/data/scratch_folder.hpp"
#include "tests/support/hdf5_arrays.hpp"

namespace mpdist::data {
namespace {

constexpr hsize_t kTrain = 22, kTest = 5, kHeight = 3, kWidth = 4, kChannels = 2;
constexpr std::size_t kImage = kHeight * kWidth * kChannels;

class Hdf5 : public ScratchFolder {
 protected:
  Hdf5() {
    std::iota(values_.begin(), values_.end(), 0);
    for (double& value : values_) value = std::fmod(value * 7, 127);
    for (std::size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<int>(i % 4);
  }
  std::string file() const { return path("data.h5"); }
  void put(const std::string& name, const std::vector<hsize_t>& shape, hid_t type,
           const test::ArrayLayout& layout = {}) const {
    test::put_array(file(), name, shape, type, H5T_NATIVE_DOUBLE, values_.data(), layout);
  }
  void put_labels(const std::string& name, hsize_t n, hid_t type = H5T_STD_U8LE) const {
    test::put_array(file(), name, {n}, type, H5T_NATIVE_INT, labels_.data());
  }
  void put_all(hid_t type = H5T_STD_U8LE, const test::ArrayLayout& layout = {}) const {
    std::filesystem::remove(file());
    put("train/images", {kTrain, kHeight, kWidth, kChannels}, type, layout);
    put("test/images", {kTest, kHeight, kWidth, kChannels}, type, layout);
    put_labels("train/labels", kTrain);
    put_labels("test/labels", kTest);
  }
  Datasets open(double scale = 0) const {
    Hdf5Options options;
    options.scale = scale;
    options.mixed_chunks = 2;
    return open_hdf5(options, file());
  }
  void expect_values(const Dataset& dataset, float scale, const std::string& what) const {
    std::vector<float> image(kImage);
    for (std::int64_t i = dataset.size() - 1; i >= 0; --i) {
      dataset.read(i, image);
      EXPECT_EQ(dataset.label(i), i % 4);
      for (std::size_t at = 0; at < kImage; ++at) {
        const double value = values_[static_cast<std::size_t>(i) * kImage + at];
        ASSERT_EQ(image[at], static_cast<float>(value) / scale) << what << ", image " << i;
      }
    }
  }
  std::string refused(ExitCode code, double scale = 0) const {
    return complaint(code, [&] { open(scale); });
  }

  std::vector<double> values_ = std::vector<double>(kTrain * kImage);
  std::vector<int> labels_ = std::vector<int>(kTrain);
};

TEST_F(Hdf5, ReadsImagesOfEveryType) {
  const std::vector<std::tuple<hid_t, double, float>> types = {
      {H5T_STD_U8LE, 0, 255.0f}, {H5T_STD_U16LE, 0, 65535.0f},  {H5T_STD_U16BE, 0, 65535.0f}, {H5T_STD_U32LE, 255, 255},
      {H5T_STD_U64BE, 255, 255}, {H5T_STD_I8LE, 127, 127},      {H5T_STD_I16BE, 1000, 1e3},   {H5T_STD_I32LE, 255, 255},
      {H5T_STD_I64LE, 255, 255}, {H5T_IEEE_F32LE, 0, 1},        {H5T_IEEE_F32BE, 0, 1},       {H5T_IEEE_F64LE, 0, 1},
      {test::binary16(), 0, 1},  {H5T_IEEE_F64BE, 127, 127.0f},
  };
  for (const auto& [type, scale, divisor] : types) {
    put_all(type, {.chunk = {4, kHeight, kWidth, kChannels}, .shuffle = true, .deflate = 1});
    const Datasets sets = open(scale);
    expect_values(*sets.train, divisor, std::to_string(type));
    expect_values(*sets.test, divisor, std::to_string(type));
  }
}

TEST_F(Hdf5, ReadsEveryLayoutAlike) {
  const std::vector<std::pair<test::ArrayLayout, std::int64_t>> layouts = {
      {{}, 1},
      {{.compact = true}, 1},
      {{.chunk = {1, kHeight, kWidth, kChannels}}, 1},
      {{.chunk = {8, kHeight, kWidth, kChannels}}, 8},
      {{.chunk = {8, kHeight, kWidth, kChannels}, .user_block = 512}, 8},
      {{.chunk = {5, kHeight, kWidth, kChannels}, .deflate = 6}, 5},
      {{.chunk = {5, 2, 2, 1}, .deflate = 6}, 5},
      {{.chunk = {3, kHeight, kWidth, kChannels}, .checksum = true}, 3},
  };
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    put_all(H5T_STD_U16LE, layouts[i].first);
    const Datasets sets = open(65535);
    EXPECT_EQ(sets.train->image_shape(), (Shape{kHeight, kWidth, kChannels}));
    EXPECT_EQ(sets.train->classes(), 4);
    EXPECT_EQ(sets.train->blocks().rows, std::min<std::int64_t>(layouts[i].second, kTrain));
    EXPECT_EQ(sets.train->blocks().mixed, 2);
    expect_values(*sets.train, 65535, fmt::format("layout {}", i));
    expect_values(*sets.test, 65535, fmt::format("layout {}", i));
  }
}

TEST_F(Hdf5, ADigestKnowsValuesLabelsAndChunks) {
  const auto digest = [&] { return open().train->digest(); };
  put_all();
  const std::uint64_t whole = digest();
  put_all(H5T_STD_U8LE, {.chunk = {8, kHeight, kWidth, kChannels}});
  EXPECT_NE(digest(), whole) << "another chunk length is another order";
  values_[77] += 1;
  put_all();
  EXPECT_NE(digest(), whole);
  values_[77] -= 1;
  labels_[5] = 0;
  put_all();
  EXPECT_NE(digest(), whole);
  labels_[5] = 1;
  put_all();
  EXPECT_EQ(digest(), whole);
}

TEST_F(Hdf5, ReadsGreyImagesLabelsOfAnyTypeAndOtherFilesAndNames) {
  put("x", {kTrain, kHeight, kWidth}, H5T_IEEE_F32LE);
  put_labels("y", kTrain, H5T_IEEE_F64LE);
  test::put_array(path("test.h5"), "x", {kTest, kHeight, kWidth}, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, values_.data());
  test::put_array(path("test.h5"), "y", {kTest}, H5T_STD_I64BE, H5T_NATIVE_INT, labels_.data());
  Hdf5Options options;
  options.test_path = path("test.h5");
  options.train_images = options.test_images = "x";
  options.train_labels = options.test_labels = "y";
  options.classes = 9;
  const Datasets sets = open_hdf5(options, file());
  EXPECT_EQ(sets.train->image_shape(), (Shape{kHeight, kWidth, 1}));
  EXPECT_EQ(sets.test->size(), static_cast<std::int64_t>(kTest));
  EXPECT_EQ(sets.train->classes(), 9);
  EXPECT_EQ(sets.test->label(3), 3);
}

TEST_F(Hdf5, NamesFieldExpectedAndFound) {
  put_all(H5T_STD_I16LE);
  EXPECT_EQ(refused(ExitCode::usage),
            file() +
                ": train/images holds int16: set data.scale to the value that shall become 1 (255 for bytes in a "
                "wider type)");
  EXPECT_EQ(refused(ExitCode::usage, 100), "");
  labels_[21] = -1;
  std::filesystem::remove(file());
  put("train/images", {kTrain, kHeight, kWidth, kChannels}, H5T_STD_U8LE);
  put_labels("train/labels", kTrain, H5T_STD_I32LE);
  EXPECT_EQ(refused(ExitCode::data), file() + ": train/labels[21]: expected a whole number from 0 on, found -1");
  labels_[21] = 1;
  put_all();
  Hdf5Options options;
  options.classes = 3;
  EXPECT_EQ(complaint(ExitCode::data, [&] { open_hdf5(options, file()); }),
            file() + ": train/labels[3]: expected a label below 3 (the number of classes), found 3");
  put("half", {4}, H5T_IEEE_F32LE);
  options.test_labels = "half";
  options.classes = 0;
  EXPECT_EQ(complaint(ExitCode::data, [&] { open_hdf5(options, file()); }),
            file() + ": half: expected shape [5], one label for each of test/images, found [4]");
  options.test_images = "train/labels";
  EXPECT_EQ(complaint(ExitCode::data, [&] { open_hdf5(options, file()); }),
            file() + ": train/labels: expected images [n, h, w, c] or [n, h, w], found [22]");
  options = {};
  put("wide", {kTest, kHeight, kWidth + 1, 1}, H5T_STD_U8LE);
  options.test_images = "wide";
  EXPECT_EQ(complaint(ExitCode::data, [&] { open_hdf5(options, file()); }),
            file() + ": wide: expected images [3, 4, 2] as in training, found [3, 5, 1]");
}

TEST_F(Hdf5, AUserBlockIsSkippedThoughTheFirstChunkIsConstant) {
  std::fill_n(values_.begin(), 16 * kImage, 0.0);
  put_all(H5T_STD_U8LE, {.chunk = {8, kHeight, kWidth, kChannels}, .user_block = 512});
  expect_values(*open().train, 255, "user block");
}

TEST_F(Hdf5, TellsTheMemoryOfItsCache) {
  put_all();
  EXPECT_EQ(open().train->cache_bytes(), 0) << "read image by image";
  put_all(H5T_STD_U16LE, {.chunk = {8, kHeight, kWidth, kChannels}});
  EXPECT_EQ(open().train->cache_bytes(), 3 * 8 * 2 * static_cast<std::int64_t>(kImage)) << "no more than there is";
  put_all(H5T_STD_U16LE, {.chunk = {2, kHeight, kWidth, kChannels}});
  EXPECT_EQ(open().train->cache_bytes(), 4 * 2 * 2 * 2 * static_cast<std::int64_t>(kImage)) << "4 * mixed_chunks";
}

TEST_F(Hdf5, RefusesAScaleThatFp32CannotHold) {
  put_all();
  EXPECT_EQ(refused(ExitCode::usage, 1e-50), "data.scale: expected a value that FP32 can hold, found 1e-50");
  EXPECT_NE(refused(ExitCode::usage, 1e40), "");
}

TEST_F(Hdf5, RefusesLabelsThatAreNotWhole) {
  put_all();
  values_[1] = 0.5;
  put("labels", {kTrain}, H5T_IEEE_F32LE);
  Hdf5Options options;
  options.train_labels = "labels";
  EXPECT_EQ(complaint(ExitCode::data, [&] { open_hdf5(options, file()); }),
            file() + ": labels[1]: expected a whole number from 0 on, found 0.5");
}

TEST_F(Hdf5, NamesTheRowsOfADamagedChunkWhenItIsRead) {
  put_all(H5T_STD_U8LE, {.chunk = {8, kHeight, kWidth, kChannels}, .deflate = 1});
  const std::uint64_t at = hdf5::Array::open(file(), "train/images").stored(2)->offset;
  std::fstream(file(), std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(at))
      << "xxxx";
  const Datasets sets = open();
  std::vector<float> image(kImage);
  sets.train->read(15, image);
  EXPECT_EQ(complaint(ExitCode::data, [&] { sets.train->read(16, image); }),
            file() + ": train/images, rows from 16: expected deflated data of 192 bytes, found damage");
}

}  // namespace
}  // namespace mpdist::data
