# SPDX-License-Identifier: Apache-2.0
# Installs program, libraries, headers and the package file of find_package(mpdist). A target mpdist_<folder> is
# mpdist::<folder> there; mpdist::program brings all of them.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mpdist)
set(libraries options core hdf5 kernels comm data nn optim precision checkpoint models train program)
if(MPDIST_HAS_CUDA)
  list(APPEND libraries cuda)
endif()
foreach(library IN LISTS libraries)
  set_target_properties(mpdist_${library} PROPERTIES EXPORT_NAME ${library})
  install(TARGETS mpdist_${library} EXPORT mpdist INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mpdist)
endforeach()
install(TARGETS mpdist)
install(EXPORT mpdist NAMESPACE mpdist:: DESTINATION ${package_dir})

# Include paths start at ${CMAKE_INSTALL_INCLUDEDIR}/mpdist as they start at the root of this tree. What belongs to one
# backend stays inside.
foreach(folder src kernels comm data launch)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mpdist
          FILES_MATCHING PATTERN "*.hpp" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN configs EXCLUDE PATTERN cmake EXCLUDE)
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mpdist-config.cmake.in ${PROJECT_BINARY_DIR}/mpdist-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mpdist-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mpdist-config.cmake ${PROJECT_BINARY_DIR}/mpdist-config-version.cmake
              ${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake DESTINATION ${package_dir})
