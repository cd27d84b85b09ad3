// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "data/registry.hpp"
#include "data/writers.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "src/checkpoint/process.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "src/core/error.hpp"
#include "src/train/config.hpp"
#include "src/train/datasets.hpp"
#include "src/train/registry.hpp"
#include "src/train/schema_toml.hpp"

namespace mpdist::launch {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string from, path, to, output;
  std::vector<std::string> overrides;
  bool force = false;
  data::WriteOptions options;
};

/// Keys of the format itself are taken: how images become batches has no place in a file.
void require_own_key(const std::string& override) {
  if (!override.starts_with("data.")) {
    throw UsageError(fmt::format("--set {}: expected a key of [data], as data.size=64", override));
  }
  const std::string key = override.substr(5, override.find('=') - 5);
  for (const char* of_training : {"mean", "std", "augment", "crop_padding", "workers", "prefetch"}) {
    if (key != of_training) continue;
    throw UsageError(fmt::format("--set {}: expected a key of the format alone, found one of training", override));
  }
  if (key == "format") throw UsageError(fmt::format("--set {}: expected the format as --from", override));
  if (key == "path") throw UsageError(fmt::format("--set {}: expected the path as --path", override));
}

/// The data set that [data] of a config would name.
data::Datasets open_source(const Arguments& arguments) {
  for (const std::string& override : arguments.overrides) require_own_key(override);
  const std::string text = fmt::format("[run]\nsteps = 1\n[model]\nname = \"mlp\"\n[data]\nformat = {}\npath = {}\n",
                                       train::quoted(arguments.from), train::quoted(arguments.path));
  return train::open_datasets(train::parse_config(text, "mpdist convert", arguments.overrides));
}

/// "folder/" is "folder".
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

/// Nothing is read or written before the output may be made.
void require_free(const Arguments& arguments, const data::Writer& writer) {
  std::error_code ignored;
  const fs::path output = arguments.output, parent = fs::absolute(without_slash(output), ignored).parent_path();
  if (!fs::is_directory(parent, ignored)) {
    throw UsageError(fmt::format("--output {}: expected a path in a folder that exists, found no folder {}",
                                 arguments.output, parent.string()));
  }
  if (!fs::exists(output, ignored)) return;
  if (writer.folder) {
    if (fs::is_directory(output, ignored) && fs::is_empty(output, ignored)) return;
    throw UsageError(
        fmt::format("--output {}: expected a new or empty folder, found one that holds something, or a file; "
                    "remove it or choose another (--force replaces single files only)",
                    arguments.output));
  }
  if (!fs::is_regular_file(output, ignored)) {
    throw UsageError(fmt::format("--output {}: expected a file, found something else", arguments.output));
  }
  if (!arguments.force) {
    throw UsageError(
        fmt::format("--output {}: expected no such file, found one; add --force to replace it", arguments.output));
  }
}

/// Everything that was written reaches the disk before it takes its name.
void sync_file_system(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && syncfs(descriptor) == 0;
  if (descriptor >= 0) close(descriptor);
  if (!synced) throw LibraryError("libc", "syncfs", path);
}

void write_file(const Arguments& arguments, const data::Writer& writer, const data::Datasets& sets) {
  checkpoint::TemporaryFile temporary(arguments.output);
  writer.write(sets, temporary.name(), arguments.options);
  sync_file_system(temporary.name());
  temporary.commit();
}

/// A new folder beside the output, "<output>.tmp-<pid>-<start>-<host>", that is removed unless it has taken the
/// output's name.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& output)
      : name_(fmt::format("{}.tmp-{}", output, checkpoint::ProcessIdentity::current().to_string())) {
    std::error_code error;
    if (fs::create_directory(name_, error)) return;
    throw UsageError(fmt::format("--output {}: expected to make a folder {}, found: {}", output, name_,
                                 error ? error.message() : "it is there"));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(name_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

void write_folder(const Arguments& arguments, const data::Writer& writer, const data::Datasets& sets) {
  const std::string output = without_slash(arguments.output).string();
  const TemporaryFolder temporary(output);
  writer.write(sets, temporary.name(), arguments.options);
  sync_file_system(temporary.name());
  std::error_code error;
  fs::rename(temporary.name(), output, error);  // takes the place of an empty folder
  if (error) throw UsageError(fmt::format("--output {}: expected a free name, found: {}", output, error.message()));
}

int convert(const Arguments& arguments) {
  const data::Writer& writer = train::entry_named(data::writers(), arguments.to);
  require_free(arguments, writer);
  const data::Datasets sets = open_source(arguments);
  (writer.folder ? write_folder : write_file)(arguments, writer, sets);
  fmt::print("{}: {} training and {} test images {}, {} classes\n", arguments.output, sets.train->size(),
             sets.test->size(), sets.train->image_shape().to_string(), sets.train->classes());
  return 0;
}

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.push_back(entry.name);
  return names;
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("convert", "Write a data set in another format, bit for bit");
  command->add_option("--from", arguments->from, "Format of the data, as data.format")
      ->required()
      ->check(CLI::IsMember(names_of(data::formats())));
  command->add_option("--path", arguments->path, "Its file or folder, as data.path")->type_name("PATH");
  command->add_option("--to", arguments->to, "Format to write")
      ->required()
      ->check(CLI::IsMember(names_of(data::writers())));
  command->add_option("--output", arguments->output, "File (hdf5) or folder to write")->type_name("PATH")->required();
  command->add_flag("--force", arguments->force, "Replace an existing file");
  command
      ->add_option("--type", arguments->options.type, "Type of the images; auto: uint8 where all are bytes, else fp32")
      ->check(CLI::IsMember({"auto", "uint8", "fp32"}))
      ->capture_default_str();
  command->add_option("--chunk", arguments->options.chunk, "hdf5: images a chunk (64)")->check(CLI::Range(1, 1 << 24));
  command->add_option("--deflate", arguments->options.deflate, "hdf5: compression level of the chunks (none)")
      ->check(CLI::Range(1, 9));
  add_overrides(*command, arguments->overrides);
  command->footer(
      "Example:\n"
      "  mpdist convert --from idx --path /usr/share/datasets/fashion-mnist --to hdf5 --output fashion.h5\n"
      "  mpdist convert --from images --path photos --set data.size=64 --to hdf5 --output photos.h5 --type uint8");
  command->callback(
      [&action, arguments] { action = [arguments] { return run_alone([&] { return convert(*arguments); }); }; });
}

}  // namespace mpdist::launch
