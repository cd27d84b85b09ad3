// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/call.hpp"

#include <string>
#include <type_traits>

#include "src/core/error.hpp"

namespace mpdist::hdf5 {

static_assert(std::is_same_v<hid_t, std::int64_t>, "headers of src/hdf5 hold hid_t as int64");

LibraryLock::LibraryLock() {
  static std::recursive_mutex mutex;
  lock_ = std::unique_lock(mutex);
}

void silence() {
  thread_local const herr_t silenced = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  (void)silenced;
}

void throw_last_error(std::string_view call) {
  std::string innermost;
  const auto take_first = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && entry->desc) text = entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &innermost);
  H5Eclear2(H5E_DEFAULT);
  for (char& c : innermost) {
    if (c == '\n') c = ' ';  // an error is one line; strerror's and ctime's texts in the stack end with a newline
  }
  throw LibraryError("HDF5", call, innermost.empty() ? "no reason given" : innermost);
}

Handle::~Handle() {
  if (id_ < 0) return;
  const LibraryLock lock;
  silence();
  H5Idec_ref(id_);
}

}  // namespace mpdist::hdf5
