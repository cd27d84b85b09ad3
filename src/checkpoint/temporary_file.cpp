// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/temporary_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "src/checkpoint/posix_file.hpp"
#include "src/checkpoint/process.hpp"

namespace mpdist::checkpoint {
namespace {

constexpr std::string_view kMark = ".tmp-";

}  // namespace

TemporaryFile::TemporaryFile(std::string path)
    : path_(std::move(path)), name_(path_ + std::string(kMark) + ProcessIdentity::current().to_string()) {
  ::unlink(name_.c_str());  // only this process makes this name: what is left there is a failed attempt of its own
}

TemporaryFile::~TemporaryFile() {
  if (!committed_) ::unlink(name_.c_str());
}

void TemporaryFile::commit() {
  if (std::rename(name_.c_str(), path_.c_str()) != 0) throw_system_error("rename", path_, errno);
  committed_ = true;
  sync_folder(folder_of(path_));
}

void replace_file(const std::string& path, const std::string& text) {
  TemporaryFile temporary(path);
  PosixFile file(temporary.name(), PosixFile::Mode::create);
  file.write(text.data(), text.size(), 0);
  file.sync();
  temporary.commit();
}

int remove_dead_temporaries(const std::string& folder) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const std::size_t mark = name.rfind(kMark);
    if (mark == std::string::npos) continue;
    const auto maker = ProcessIdentity::parse(name.substr(mark + kMark.size()));
    if (maker && maker->is_dead_here() && ::unlink(entry.path().c_str()) == 0) ++removed;
  }
  return removed;
}

}  // namespace mpdist::checkpoint
