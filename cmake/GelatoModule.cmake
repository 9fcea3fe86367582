# One module = one static library gelato::<m>, with its tests, fuzzers and benchmarks found by name.

add_library(gelato_flags INTERFACE)
target_compile_options(gelato_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(GELATO_WERROR)
  target_compile_options(gelato_flags INTERFACE -Werror)
endif()
if(GELATO_SANITIZE)
  add_compile_options(-fsanitize=${GELATO_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GELATO_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # its documentation: false positives with sanitizers
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  # The tests' own code: optimised, it takes four times as long to compile.
  set(test_options -O0 -g1)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(test_options -O0)  # a fifth less time to compile; what they test is optimised
endif()

if(GELATO_BENCHMARKS)
  add_custom_target(benchmarks)  # all of them, which the default target leaves out
endif()

# gelato_module(NAME DEPS module... PRIVATE library... PUBLIC library...)
#
#   src/NAME/*.cc              the library
#   tests/NAME/*_test.cc       one executable NAME_test, label `unit`
#   tests/NAME/*_LABEL_test.cc (LABEL: model, net, netns, slow) one executable NAME_LABEL_test, label LABEL
#   tests/NAME/*_fuzz.cc       one libFuzzer executable each
#   tests/NAME/*_bench.cc      one Google Benchmark executable each
function(gelato_module name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE;PUBLIC" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  add_library(gelato_${name} STATIC ${sources})
  add_library(gelato::${name} ALIAS gelato_${name})
  target_include_directories(gelato_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                             PRIVATE ${PROJECT_SOURCE_DIR}/src/${name})
  list(TRANSFORM ARG_DEPS PREPEND gelato::)
  target_link_libraries(gelato_${name} PUBLIC ${ARG_DEPS} ${ARG_PUBLIC}
                        PRIVATE ${ARG_PRIVATE} gelato_flags)

  set_property(GLOBAL APPEND PROPERTY GELATO_MODULES ${name})
  if(GELATO_FUZZ)
    target_compile_options(gelato_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(GELATO_BENCHMARKS)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_bench.cc)
    foreach(source IN LISTS benches)
      get_filename_component(target ${source} NAME_WE)
      add_executable(${target} EXCLUDE_FROM_ALL ${source})
      target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
      target_link_libraries(${target} PRIVATE gelato::${name} gelato_flags
                            benchmark::benchmark_main)
      add_dependencies(benchmarks ${target})
    endforeach()
  endif()
endfunction()

# gelato_module_fuzzers(NAME library...): its fuzzers; like gelato_module_tests().
function(gelato_module_fuzzers name)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_fuzz.cc)
  foreach(source IN LISTS fuzzers)
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE gelato::${name} ${ARGN} gelato_flags)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  endforeach()
endfunction()

# gelato_module_tests(NAME library...): the test executables of one module; called from tests/ once
# all modules and the test kits exist.
function(gelato_module_tests name)
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cc)
  foreach(label IN ITEMS model net netns slow unit)
    set(chosen ${tests})
    if(NOT label STREQUAL unit)
      list(FILTER chosen INCLUDE REGEX "_${label}_test\\.cc$")
    endif()
    list(REMOVE_ITEM tests ${chosen})
    if(NOT chosen)
      continue()
    endif()
    set(target ${name}_${label}_test)
    if(label STREQUAL unit)
      set(target ${name}_test)
    endif()
    add_executable(${target} ${chosen})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE gelato::${name} ${ARGN} gelato_flags
                          GTest::gmock_main)
    target_compile_options(${target} PRIVATE ${test_options})
    gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${name}. NO_PRETTY_VALUES
                         WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                         PROPERTIES LABELS ${label} TIMEOUT 300)
  endforeach()
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/${name}/CMakeLists.txt)
    add_subdirectory(${PROJECT_SOURCE_DIR}/tests/${name})  # what they need besides their sources
  endif()
endfunction()
