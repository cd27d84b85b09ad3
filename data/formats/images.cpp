// SPDX-License-Identifier: Apache-2.0
#include "data/formats/images.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "data/digest.hpp"
#include "data/formats/data_file.hpp"
#include "data/formats/picture.hpp"
#include "data/formats/resample.hpp"
#include "src/core/philox.hpp"

namespace mpdist::data {
namespace {

namespace fs = std::filesystem;

struct ImageFile {
  std::string path;
  std::int32_t label = 0;
  std::uint64_t bytes = 0;
};

std::string join(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

/// Throws FormatError unless the call that reported `error` succeeded; a link that leads nowhere is no failure.
void require_readable(const std::string& path, const std::error_code& error) {
  if (!error || error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return;
  throw FormatError(path, "name", "expected a readable file or folder, found: " + error.message());
}

/// Names in a folder, sorted as bytes, of folders or of files, hidden ones left out.
std::vector<std::string> names_in(const std::string& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code unreadable;
    if (folders ? entry->is_directory(unreadable) : entry->is_regular_file(unreadable)) names.push_back(name);
    require_readable(entry->path().string(), unreadable);
  }
  if (error) throw FormatError(folder, "names", "expected a readable folder, found: " + error.message());
  std::ranges::sort(names);
  return names;
}

bool is_image_name(const std::string& name) {
  std::string ending = fs::path(name).extension().string();
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

/// The images of every class of one part.
std::vector<ImageFile> list_images(const std::string& folder, const std::vector<std::string>& classes) {
  std::vector<ImageFile> files;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const std::string of_class = join(folder, classes[label]);
    const std::size_t before = files.size();
    for (const std::string& name : names_in(of_class, false)) {
      if (is_image_name(name)) files.push_back({join(of_class, name), static_cast<std::int32_t>(label), 0});
    }
    if (files.size() == before) throw FormatError(of_class, "images", "expected .jpg, .jpeg or .png files, found none");
  }
  return files;
}

/// Size, first and last bytes; only a file that ends as it should not is decoded, since some good ones do.
void look_at(ImageFile& image, const DecodeOptions& options) {
  const DataFile file(image.path);
  image.bytes = file.size();
  std::vector<std::byte> head(std::min<std::uint64_t>(8, image.bytes)), tail(std::min<std::uint64_t>(12, image.bytes));
  file.read(0, head);
  file.read(image.bytes - tail.size(), tail);
  const Encoding encoding = encoding_of(head);
  if (encoding != Encoding::unknown && ends_well(encoding, tail)) return;
  std::vector<std::byte> whole;
  read_whole(image.path, whole);
  Picture picture;
  decode(image.path, whole, options, picture);
}

/// Calls work(0) ... work(count-1) in a few threads, which wait for the file system rather than compute. What the
/// smallest failing index threw is thrown, so all ranks throw alike.
void for_all(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0, failed = count;
  std::mutex mutex;
  std::exception_ptr error;
  const auto loop = [&] {
    for (std::size_t i = next++; i < failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed) {
          failed = i;
          error = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min<std::size_t>(8, count / 64); ++i) threads.emplace_back(loop);
    loop();
  }
  if (error) std::rethrow_exception(error);
}

class ImagesDataset final : public Dataset {
 public:
  ImagesDataset(std::vector<ImageFile> files, std::int64_t classes, const ImagesOptions& options,
                const std::string& part)
      : files_(std::move(files)),
        classes_(classes),
        resize_(options.resize > 0 ? options.resize : options.size),
        size_(options.size),
        decoding_{.channels = options.channels, .shorter_side = resize_} {
    for_all(files_.size(), [this](std::size_t i) { look_at(files_[i], decoding_); });
    name_ = fmt::format("images.{} {} {} {:016x}", part, resize_, size_, listing());
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }
  Shape image_shape() const override { return {size_, size_, decoding_.channels}; }
  std::int64_t classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return files_[static_cast<std::size_t>(index)].label; }

  /// Names and sizes of all files, and some images; decoding takes long enough to be done once.
  std::uint64_t digest() const override {
    std::call_once(digested_, [this] { digest_ = digest_of(*this, name_, 1); });
    return digest_;
  }

  void read(std::int64_t index, std::span<float> image) const override {
    struct Scratch {
      std::vector<std::byte> file;
      Picture picture;
      Resampler resampler{1, 1};
      std::int64_t resize = 0, size = 0;
    };
    thread_local Scratch scratch;
    if (scratch.resize != resize_ || scratch.size != size_) {
      scratch.resampler = Resampler(resize_, size_);
      scratch.resize = resize_;
      scratch.size = size_;
    }
    const std::string& path = files_.at(static_cast<std::size_t>(index)).path;
    read_whole(path, scratch.file);
    decode(path, scratch.file, decoding_, scratch.picture);
    scratch.resampler.apply(scratch.picture, image);
  }

 private:
  /// A hash of the files' names (without their folder) and sizes.
  std::uint64_t listing() const {
    Hash hash;
    for (const ImageFile& file : files_) {
      const fs::path path(file.path);
      const std::string name = (path.parent_path().filename() / path.filename()).string();
      hash.add(hash_name(name) ^ file.bytes);
    }
    return hash.value();
  }

  std::vector<ImageFile> files_;
  std::int64_t classes_, resize_, size_;
  DecodeOptions decoding_;
  std::string name_;
  mutable std::once_flag digested_;
  mutable std::uint64_t digest_ = 0;
};

std::string part_folder(const std::string& folder, const std::string& name) {
  std::error_code ignored;
  const std::string part = join(folder, name);
  if (fs::is_directory(part, ignored)) return part;
  throw UsageError(
      fmt::format("data.path {}: expected a folder \"{}\" with a folder for each class, found none", folder, name));
}

std::string test_name(const ImagesOptions& options, const std::string& folder) {
  if (!options.test.empty()) return options.test;
  std::error_code ignored;
  return !fs::is_directory(join(folder, "test"), ignored) && fs::is_directory(join(folder, "val"), ignored) ? "val"
                                                                                                            : "test";
}

void require_same_classes(const std::string& folder, const std::vector<std::string>& train,
                          const std::vector<std::string>& test) {
  for (const std::string& name : train) {
    if (std::ranges::binary_search(test, name)) continue;
    throw FormatError(folder, "classes", fmt::format("expected those of training, found no folder \"{}\"", name));
  }
  for (const std::string& name : test) {
    if (std::ranges::binary_search(train, name)) continue;
    throw FormatError(folder, "classes",
                      fmt::format("expected those of training, found a folder \"{}\" that is not there", name));
  }
}

}  // namespace

void ImagesOptions::describe(Schema& schema) {
  schema
      .key("size", size,
           {.help = "height and width of the middle that is cut out", .unit = "pixels", .minimum = 1, .maximum = 8192})
      .key("resize", resize,
           {.help = "shorter side after resizing, before the middle is cut out; 0: size",
            .unit = "pixels",
            .minimum = 0,
            .maximum = 16384})
      .key("channels", channels, {.help = "3: colour; 1: grey", .minimum = 1, .maximum = 3})
      .key("train", train, {.help = "folder of the training part", .resume_may_change = true})
      .key("test", test, {.help = "folder of the test part; empty: test, else val", .resume_may_change = true});
}

Datasets open_images(const ImagesOptions& options, const std::string& folder) {
  if (options.channels == 2) throw UsageError("data.channels: expected 1 (grey) or 3 (colour), found 2");
  if (options.resize > 0 && options.resize < options.size) {
    throw UsageError(
        fmt::format("data.resize: expected 0 or at least data.size = {}, found {}", options.size, options.resize));
  }
  const std::string train = part_folder(folder, options.train);
  const std::string test = part_folder(folder, test_name(options, folder));
  const std::vector<std::string> classes = names_in(train, true);
  if (classes.empty()) throw UsageError(fmt::format("{}: expected a folder for each class, found none", train));
  require_same_classes(test, classes, names_in(test, true));
  const auto count = static_cast<std::int64_t>(classes.size());
  return {.train = std::make_unique<ImagesDataset>(list_images(train, classes), count, options, "train"),
          .test = std::make_unique<ImagesDataset>(list_images(test, classes), count, options, "test")};
}

}  // namespace mpdist::data
