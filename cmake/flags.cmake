# Compiler and linker flags, for gcc and clang alike.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # GNU: accept4, splice, recvmmsg of the C library
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(WEIR_GENERATED ${CMAKE_BINARY_DIR}/generated)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
if(WEIR_ASAN AND WEIR_TSAN)
  message(FATAL_ERROR "WEIR_ASAN and WEIR_TSAN exclude each other: use two build directories.")
endif()
if(WEIR_FUZZERS AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "WEIR_FUZZERS needs clang: cmake -DCMAKE_C_COMPILER=clang (package clang).")
endif()

include_directories(${CMAKE_SOURCE_DIR} ${WEIR_GENERATED})
add_compile_definitions(_GNU_SOURCE)

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings -Wvla -Wpointer-arith -Wimplicit-fallthrough
  -Werror
  -g -fno-common)
# libev's watchers "inherit" by casting between structures that share their first members.
add_compile_options(-fno-strict-aliasing)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wtrampolines)
  # gcc makes "rep stos" and "rep movs" of structures of some hundred bytes; the C library clears and copies them faster.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    add_compile_options(-mstringop-strategy=libcall)
  endif()
endif()

set(sanitizer "")
if(WEIR_ASAN OR (WEIR_FUZZERS AND NOT WEIR_TSAN))
  list(APPEND sanitizer -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(WEIR_TSAN)
  list(APPEND sanitizer -fsanitize=thread)
endif()
if(sanitizer)
  add_compile_options(${sanitizer} -O1 -fno-omit-frame-pointer)
  add_link_options(${sanitizer})
endif()
if(WEIR_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(WEIR_COVERAGE)
  add_compile_options(--coverage -O0 -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

# assert() guards the impossible and stays in every build: a crash that says where is better than a wrong answer.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()
# A release is -O3, as CMake has it: an eighth more code, and a twelfth fewer instructions a request.

if(NOT sanitizer AND NOT WEIR_COVERAGE)
  # Everything is bound at start (-z now): calls into libraries need no stub.
  add_compile_options(-fno-plt)
  add_compile_options(-fPIE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i[3-6]86")
    add_compile_options(-fcf-protection)
  endif()
  add_compile_options("$<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

  if(WEIR_LTO AND CMAKE_BUILD_TYPE STREQUAL "Release")
    include(CheckIPOSupported)
    check_ipo_supported(RESULT lto_works OUTPUT lto_problem LANGUAGES C)
    if(lto_works)
      set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    else()
      message(STATUS "no link-time optimisation: this toolchain cannot")
    endif()
  endif()
endif()
add_link_options(-Wl,--as-needed)

if(WEIR_LLHTTP_FROM_SOURCE)
  set(llhttp_sources ${WEIR_LLHTTP_SOURCE}/api.c ${WEIR_LLHTTP_SOURCE}/http.c ${WEIR_LLHTTP_SOURCE}/llhttp.c)
  add_library(llhttp STATIC EXCLUDE_FROM_ALL ${llhttp_sources})
  add_library(LLHTTP::llhttp ALIAS llhttp)
  target_include_directories(llhttp SYSTEM PUBLIC ${WEIR_LLHTTP_SOURCE_INCLUDE})
  target_compile_options(llhttp PRIVATE -w)
endif()
