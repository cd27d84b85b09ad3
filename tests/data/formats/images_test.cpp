// SPDX-License-Identifier: Apache-2.0
#include "data/formats/images.hpp"

#include <thread>
#include <vector>

#include "data/formats/picture.hpp"
#include "tests/data/scratch_folder.hpp"
#include "tests/support/jpeg_file.hpp"

namespace mpdist::data {
namespace {

std::vector<std::uint8_t> pixels(std::size_t count, int first) {
  std::vector<std::uint8_t> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<std::uint8_t>((static_cast<int>(i) * 7 + first) % 256);
  return all;
}

class Images : public ScratchFolder {
 protected:
  void put_png(const std::string& name, int first, std::int64_t side = 8) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_png(path(name), side, side, 3, pixels(static_cast<std::size_t>(side * side * 3), first));
  }
  /// Classes ant, bee, cat with 2, 3, 1 training images and one test image each.
  void put_all() const {
    int first = 0;
    for (const char* name : {"train/bee/1.png", "train/bee/0.png", "train/ant/x.PNG", "train/ant/a.png",
                             "train/bee/10.png", "test/ant/1.png", "test/bee/1.png"}) {
      put_png(name, first += 10);
    }
    write("train/cat/c.jpg", test::jpeg_bytes(12, 10, 3, pixels(360, 5)));
    write("test/cat/c.JPEG", test::jpeg_bytes(8, 8, 1, pixels(64, 5)));
  }
  Datasets open(std::int64_t size = 8, std::int64_t resize = 0) const {
    ImagesOptions options;
    options.size = size;
    options.resize = resize;
    return open_images(options, path());
  }
  std::string refused(ExitCode code) const {
    return complaint(code, [&] { open(); });
  }
};

TEST_F(Images, StandByClassAndName) {
  put_all();
  write("train/ant/notes.txt", "not an image");
  write("train/ant/.hidden.png", "nor this");
  write("train/README", "nor this");
  const Datasets sets = open();
  ASSERT_EQ(sets.train->size(), 6);
  EXPECT_EQ(sets.test->size(), 3);
  EXPECT_EQ(sets.train->classes(), 3);
  EXPECT_EQ(sets.train->image_shape(), (Shape{8, 8, 3}));
  const std::vector<int> firsts = {40, 30, 20, 10, 50};  // ant/a, ant/x, bee/0, bee/1, bee/10
  std::vector<float> image(8 * 8 * 3);
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sets.train->label(i), i < 2 ? 0 : 1);
    sets.train->read(i, image);
    const std::vector<std::uint8_t> expected = pixels(image.size(), firsts[static_cast<std::size_t>(i)]);
    for (std::size_t p = 0; p < image.size(); ++p) ASSERT_EQ(image[p], static_cast<float>(expected[p]) / 255.0f) << i;
  }
  EXPECT_EQ(sets.train->label(5), 2);
}

TEST_F(Images, AreReadAlikeByManyThreads) {
  put_all();
  const Datasets sets = open(6, 7);
  const auto read_all = [&] {
    std::vector<float> all(static_cast<std::size_t>(sets.train->size()) * 6 * 6 * 3);
    for (std::int64_t i = 0; i < sets.train->size(); ++i) sets.train->read(i, std::span(all).subspan(i * 108, 108));
    return all;
  };
  const std::vector<float> expected = read_all();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { EXPECT_EQ(read_all(), expected); });
}

TEST_F(Images, CanBeGreyAndOfAnotherSize) {
  put_all();
  ImagesOptions options;
  options.size = 5;
  options.resize = 6;
  options.channels = 1;
  const Datasets sets = open_images(options, path());
  EXPECT_EQ(sets.train->image_shape(), (Shape{5, 5, 1}));
  std::vector<float> image(25);
  sets.train->read(5, image);
  EXPECT_NE(image, std::vector<float>(25));
}

TEST_F(Images, TakeValidationForTestWhereThereIsNone) {
  put_all();
  std::filesystem::rename(folder_ / "test", folder_ / "val");
  EXPECT_EQ(open().test->size(), 3);
  ImagesOptions options;
  options.test = "train";
  EXPECT_EQ(open_images(options, path()).test->size(), 6);
}

TEST_F(Images, ADigestKnowsNamesBytesAndOptions) {
  put_all();
  const std::uint64_t before = open().train->digest();
  EXPECT_EQ(open().train->digest(), before);
  EXPECT_NE(open(8, 9).train->digest(), before);
  std::filesystem::rename(folder_ / "train/bee/10.png", folder_ / "train/bee/11.png");
  const std::uint64_t renamed = open().train->digest();
  EXPECT_NE(renamed, before);
  put_png("train/bee/11.png", 51);
  EXPECT_NE(open().train->digest(), renamed);
}

TEST_F(Images, SaysWhatIsMissing) {
  EXPECT_EQ(refused(ExitCode::usage),
            fmt::format("data.path {}: expected a folder \"train\" with a folder for each class, found none", path()));
  std::filesystem::create_directories(folder_ / "train");
  std::filesystem::create_directories(folder_ / "test");
  EXPECT_EQ(refused(ExitCode::usage), path("train") + ": expected a folder for each class, found none");
  put_all();
  std::filesystem::create_directories(folder_ / "train/dog");
  EXPECT_EQ(refused(ExitCode::data), path("test") + ": classes: expected those of training, found no folder \"dog\"");
  std::filesystem::create_directories(folder_ / "test/dog");
  EXPECT_EQ(refused(ExitCode::data), path("train/dog") + ": images: expected .jpg, .jpeg or .png files, found none");
  put_png("train/dog/1.png", 0);
  put_png("test/dog/1.png", 0);
  put_png("test/emu/1.png", 0);
  EXPECT_EQ(refused(ExitCode::data),
            path("test") + ": classes: expected those of training, found a folder \"emu\" that is not there");
}

TEST_F(Images, NamesALinkThatCannotBeFollowed) {
  put_all();
  std::filesystem::create_symlink("nowhere", folder_ / "train/dangling");
  EXPECT_EQ(refused(ExitCode::data), "") << "a link to nothing is left out";
  std::filesystem::create_symlink("circle", folder_ / "train/circle");
  EXPECT_EQ(refused(ExitCode::data), path("train/circle") +
                                         ": name: expected a readable file or folder, found: Too many levels of "
                                         "symbolic links");
}

TEST_F(Images, NamesDamagedFilesAtTheStart) {
  put_all();
  const std::string jpeg = test::jpeg_bytes(12, 10, 3, pixels(360, 5));
  write("train/cat/d.jpg", jpeg.substr(0, jpeg.size() / 2));
  EXPECT_TRUE(refused(ExitCode::data).starts_with(path("train/cat/d.jpg") + ": JPEG data: expected a whole image"));
  write("train/cat/d.jpg", jpeg + std::string(100, '\0'));
  EXPECT_EQ(refused(ExitCode::data), "") << "bytes behind the end do no harm";
  write("train/bee/2.png", "");
  EXPECT_EQ(refused(ExitCode::data),
            path("train/bee/2.png") + ": first bytes: expected a JPEG or PNG image, found something else in 0 bytes");
  write("train/ant/b.png", "GIF89a and so on");
  EXPECT_EQ(refused(ExitCode::data),
            path("train/ant/b.png") + ": first bytes: expected a JPEG or PNG image, found something else in 16 bytes")
      << "the first of several, always";
}

TEST_F(Images, NamesDamageInTheMiddleWhenItIsRead) {
  put_all();
  std::fstream file(path("train/bee/0.png"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60) << "xxxx";
  file.close();
  const Datasets sets = open();
  std::vector<float> image(8 * 8 * 3);
  EXPECT_TRUE(complaint(ExitCode::data, [&] {
                sets.train->read(2, image);
              }).starts_with(path("train/bee/0.png") + ": PNG data: expected a whole image, found damage: "));
  std::filesystem::remove(folder_ / "train/bee/0.png");
  EXPECT_EQ(complaint(ExitCode::data, [&] { sets.train->read(2, image); }),
            path("train/bee/0.png") + ": file: cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace mpdist::data
