# SPDX-License-Identifier: Apache-2.0
# Sourced by quickstart.sh and tests/run.sh: the packages that building, running and testing need, and their installation.

MPDIST_PACKAGES="build-essential cmake ninja-build pkg-config ccache git libopenmpi-dev openmpi-bin libdnnl-dev libhdf5-dev
libfmt-dev libtomlplusplus-dev libcli11-dev nlohmann-json3-dev zlib1g-dev libjpeg-dev libpng-dev dataset-fashion-mnist"
MPDIST_TEST_PACKAGES="libgtest-dev libbenchmark-dev python3 python3-h5py python3-numpy python3-pil hdf5-tools"
# What the second build of tests/run.sh needs: another compiler, another MPI, PyPI for another oneDNN.
MPDIST_PORTABLE_PACKAGES="clang libmpich-dev mpich python3-pip"

say() { printf '== %s\n' "$*"; }

# install_packages NAME...: installs what is missing with apt; elsewhere names it and goes on, in case it is there already.
install_packages() {
  if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "this is not Debian: these packages (or their like) must be installed: $*"
    return 0
  fi
  missing=""
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  if [ -z "$missing" ]; then
    say "all packages are installed"
    return 0
  fi
  say "installing:$missing"
  if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
  if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null; }; then
    say "apt-get could not install them: going on in case they are there already; if not, install:$missing"
  fi
}

# mpi_environment: what Open MPI needs to start as root and with more ranks than cores, unless the user chose otherwise.
mpi_environment() {
  export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe-1}"
  if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}
