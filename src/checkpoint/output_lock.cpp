// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/output_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <thread>

#include "src/checkpoint/posix_file.hpp"
#include "src/checkpoint/process.hpp"
#include "src/checkpoint/temporary_file.hpp"
#include "src/core/error.hpp"

namespace mpdist::checkpoint {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }

 private:
  int value_;
};

std::optional<ProcessIdentity> holder_in(int descriptor) {
  char text[512];
  const ssize_t length = ::pread(descriptor, text, sizeof text, 0);
  if (length <= 1 || text[length - 1] != '\n') return std::nullopt;
  return ProcessIdentity::parse(std::string(text, static_cast<std::size_t>(length) - 1));
}

bool is_file_at(const struct stat& file, const std::string& path) {
  struct stat there;
  return ::stat(path.c_str(), &there) == 0 && there.st_dev == file.st_dev && there.st_ino == file.st_ino;
}

/// Puts `mine` in the place of a dead holder's lock. Two starters may see the same dead holder: the one with the flock
/// on the dead file replaces it, the other then finds another file at the path. A lock file's content never changes.
bool take_over(const std::string& path, const std::string& mine) {
  const Descriptor dead(path);
  if (dead.value() < 0) return false;
  const std::optional<ProcessIdentity> holder = holder_in(dead.value());
  if (!holder || !holder->is_dead_here()) return false;
  struct stat status;
  if (::flock(dead.value(), LOCK_EX | LOCK_NB) != 0 || ::fstat(dead.value(), &status) != 0) return false;
  return is_file_at(status, path) && std::rename(mine.c_str(), path.c_str()) == 0;
}

[[noreturn]] void refuse(const std::string& folder, const std::string& path) {
  const Descriptor file(path);
  const std::optional<ProcessIdentity> holder = file.value() < 0 ? std::nullopt : holder_in(file.value());
  if (!holder)
    throw UsageError(fmt::format("{} is in use, by whom is not readable in {}; if no job runs there, remove that file",
                                 folder, path));
  if (holder->is_here()) {
    throw UsageError(
        fmt::format("{} is in use by process {} on this host ({}); wait for it, stop it or choose another run.output",
                    folder, holder->pid, holder->host));
  }
  throw UsageError(fmt::format("{} is in use by process {} on host {}; if that job has ended, remove {}", folder,
                               holder->pid, holder->host, path));
}

}  // namespace

OutputLock::OutputLock(const std::string& folder, std::chrono::milliseconds wait) : path_(folder + "/lock") {
  const TemporaryFile mine(path_);  // removed at the end; the lock is a second link to it, or it has been renamed
  PosixFile file(mine.name(), PosixFile::Mode::create);
  const std::string text = ProcessIdentity::current().to_string() + "\n";
  file.write(text.data(), text.size(), 0);
  struct stat status;
  if (::stat(mine.name().c_str(), &status) != 0) throw_system_error("stat", mine.name(), errno);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (::link(mine.name().c_str(), path_.c_str()) != 0) {
    if (errno != EEXIST) throw_system_error("link", path_, errno);
    if (take_over(path_, mine.name())) return;
    if (std::chrono::steady_clock::now() >= deadline) refuse(folder, path_);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

OutputLock::~OutputLock() {
  struct stat own {};
  own.st_dev = device_;
  own.st_ino = inode_;
  if (is_file_at(own, path_)) ::unlink(path_.c_str());
}

}  // namespace mpdist::checkpoint
