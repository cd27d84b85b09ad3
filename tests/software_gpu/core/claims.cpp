// SPDX-License-Identifier: Apache-2.0
// A process that uses a device holds a socket whose name in the abstract namespace (unix(7)) stands for job and device.
// There is one such socket at a time, it leaves no file behind, and it ends with its process, however that ends.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/software_gpu/core/context.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"

namespace software_gpu {
namespace {

/// The address of a device's socket; a name of the abstract namespace begins with a zero byte.
struct Address {
  sockaddr_un address{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};
Address address_of(int physical) {
  const std::string job = std::to_string(std::hash<std::string>{}(settings().job));
  const std::string name = "software_gpu." + std::to_string(getuid()) + "." + job + "." + std::to_string(physical);
  Address a;
  a.address.sun_family = AF_UNIX;
  std::memcpy(a.address.sun_path + 1, name.data(), name.size());
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return a;
}

/// The process that holds the socket, by asking the kernel who answers there; -1 when it has just gone.
pid_t holder_of(const Address& a) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool answered =
      connect(probe, a.get(), a.size) == 0 && getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  close(probe);
  return answered ? peer.pid : -1;
}

void claim(int physical) {
  const Address a = address_of(physical);
  const int held = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);  // for as long as the process lives
  if (held < 0) unsupported("no socket for the claim of a device");
  if (bind(held, a.get(), a.size) == 0) {
    listen(held, SOMAXCONN);
    return;
  }
  if (errno != EADDRINUSE) unsupported("a claim of a device: " + std::string(std::strerror(errno)));
  close(held);
  report("device-shared", "process " + std::to_string(getpid()) + " of job " + settings().job + " uses device " +
                              std::to_string(physical) + ", which process " + std::to_string(holder_of(a)) + " uses");
}

}  // namespace

void use_device(int device) {
  static auto* const kUsed = new std::vector<bool>(settings().devices.size());
  const auto index = static_cast<std::size_t>(device);
  if ((*kUsed)[index]) return;
  (*kUsed)[index] = true;
  if (!settings().job.empty()) claim(settings().devices[index]);
}

}  // namespace software_gpu
