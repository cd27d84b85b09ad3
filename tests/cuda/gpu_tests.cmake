# SPDX-License-Identifier: Apache-2.0
# Tests of the CUDA backend have names that begin with "cuda."; they run on the software GPU of tests/software_gpu where
# MPDIST_SOFTWARE_GPU is on, else on the GPUs of this machine. Tests named "software_gpu." are about the former alone.
# One that needs several GPUs says so by the label gpus_2, gpus_3, gpus_4 or gpus_8.
option(MPDIST_SOFTWARE_GPU "Run the tests of the CUDA backend on the software GPU" OFF)

# Everything that tests named "cuda." and "software_gpu." need.
add_custom_target(gpu_tests)

# mpdist_gpu_environment(<variable>): the ENVIRONMENT_MODIFICATION of a test that uses a GPU.
function(mpdist_gpu_environment variable)
  set(environment MPDIST_TEST_DEVICE=set:cuda)
  if(MPDIST_SOFTWARE_GPU)
    list(APPEND environment LD_LIBRARY_PATH=path_list_prepend:$<TARGET_FILE_DIR:software_gpu_cudart>
         SOFTWARE_GPU_PTX=set:${CMAKE_BINARY_DIR}/kernels/CMakeFiles/mpdist_kernels_ptx.dir/cuda)
  endif()
  set(${variable} "${environment}" PARENT_SCOPE)
endfunction()

# mpdist_targets_below(<variable> <folder>): all targets of a folder and those below it.
function(mpdist_targets_below variable folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(one IN LISTS below)
    mpdist_targets_below(more ${one})
    list(APPEND targets ${more})
  endforeach()
  set(${variable} ${targets} PARENT_SCOPE)
endfunction()

if(MPDIST_SOFTWARE_GPU)
  add_subdirectory(${PROJECT_SOURCE_DIR}/tests/software_gpu software_gpu)
  mpdist_targets_below(targets ${PROJECT_SOURCE_DIR}/tests/software_gpu)
  add_dependencies(gpu_tests mpdist_kernels_ptx ${targets})
endif()
