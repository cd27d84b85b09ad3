// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace mpdist {

/// Exit codes of the program (the README's table). An error carries the one it ends the job with.
enum class ExitCode : int {
  done = 0,
  internal = 1,       ///< a defect, a failing library or memory exhausted
  usage = 2,          ///< command line or config
  data = 65,          ///< bad data, or numerics that cannot go on
  disagreement = 70,  ///< ranks differ in what must be equal
  retry = 75,         ///< trying again may help: watchdog, last save failed
  stopped = 85,       ///< stopped on request with a checkpoint saved
};

/// Base of all errors: `what()` is one line that says what was expected, what was found, what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode exit_code() const { return code_; }
  /// Whether every rank throws this error alike: then rank 0 alone speaks and all end in order, without an abort.
  bool is_collective() const { return collective_; }
  void set_collective() { collective_ = true; }

 private:
  ExitCode code_;
  bool collective_ = false;
};

/// throw collective(Disagreement(...)): an error that every rank throws at the same place.
template <class E>
E collective(E error) {
  error.set_collective();
  return error;
}

/// A function was called outside its contract (shapes, types, ranges): a defect of the caller.
struct InvalidArgument : Error {
  explicit InvalidArgument(const std::string& message) : Error(ExitCode::internal, message) {}
};

/// Command line, config file or environment is wrong. Exit 2.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::usage, message) {}
};

/// The request is legal but this build or machine cannot do it. Exit 2.
struct Unsupported : Error {
  explicit Unsupported(const std::string& message) : Error(ExitCode::usage, message) {}
};

/// A library call failed: names library, call and code. Exit 1.
struct LibraryError : Error {
  LibraryError(std::string_view library, std::string_view call, std::string_view code)
      : Error(ExitCode::internal, fmt::format("{}: {} failed: {}", library, call, code)) {}
};

/// A file does not hold what it should: `where` is an offset, a line or a field. Exit 65.
struct FormatError : Error {
  FormatError(std::string_view file, std::string_view where, std::string_view problem)
      : Error(ExitCode::data, fmt::format("{}: {}: {}", file, where, problem)) {}
};

/// Training cannot go on: non-finite numbers at the scale floor. Exit 65.
struct NumericsError : Error {
  explicit NumericsError(const std::string& message) : Error(ExitCode::data, message) {}
};

/// Ranks differ in something that must be equal. Exit 70.
struct Disagreement : Error {
  explicit Disagreement(const std::string& message) : Error(ExitCode::disagreement, message) {}
};

/// Throws InvalidArgument with a formatted message unless `condition` holds.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw InvalidArgument(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace mpdist
