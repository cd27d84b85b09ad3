# SPDX-License-Identifier: Apache-2.0
# What the libraries need. Read twice: by this build, and by find_package(mpdist) of a project that uses the installed
# libraries, where the static libraries' own dependencies are linked.
find_package(fmt REQUIRED)
find_package(MPI REQUIRED COMPONENTS CXX)
find_package(dnnl REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus QUIET)
if(NOT tomlplusplus_FOUND)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
  add_library(tomlplusplus::tomlplusplus ALIAS PkgConfig::tomlplusplus)
endif()
