# SPDX-License-Identifier: Apache-2.0
if(TARGET software_gpu_cudnn)
  software_gpu_test(cudnn LIBRARIES software_gpu_cudnn
                    SOURCES cudnn_convolution_test.cpp cudnn_engine_test.cpp cudnn_fusion_test.cpp
                            cudnn_refusal_test.cpp)
endif()
