# Finds the kind of machine that the project is for, from its compiler and toolchain file. Sets
#
#     lmada_rust_target     Rust's name for the machine; empty for the machine that builds
#     lmada_environment     environment variables for scripts/build-library
#
# The user can set LMADA_RUST_TARGET instead.
set(LMADA_RUST_TARGET "" CACHE STRING "Rust's name for the machine to build lmada for; empty: that of the compiler")

# The compiler that the project uses; Rust links with it.
set(lmada_compiler "${CMAKE_C_COMPILER}")
set(lmada_compiler_target "${CMAKE_C_COMPILER_TARGET}")
if(NOT lmada_compiler)
    set(lmada_compiler "${CMAKE_CXX_COMPILER}")
    set(lmada_compiler_target "${CMAKE_CXX_COMPILER_TARGET}")
endif()

# The compiler's name for the machine, such as aarch64-linux-gnu, x86_64-redhat-linux or x86_64-alpine-linux-musl. In a
# project without a compiler, the toolchain file names the processor.
set(lmada_machine "${lmada_compiler_target}")
if(NOT lmada_machine AND lmada_compiler)
    execute_process(COMMAND ${lmada_compiler} -dumpmachine
        OUTPUT_VARIABLE lmada_machine OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
elseif(NOT lmada_machine AND (CMAKE_CROSSCOMPILING OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR))
    set(lmada_machine "${CMAKE_SYSTEM_PROCESSOR}-linux")
endif()
if(lmada_machine MATCHES "^x86_64-" AND CMAKE_SIZEOF_VOID_P EQUAL 4)
    string(REGEX REPLACE "^x86_64-" "i686-" lmada_machine "${lmada_machine}") # gcc -m32
endif()

# Rust's name for the machine.
string(REGEX MATCH "^[^-]+" lmada_processor "${lmada_machine}")
string(REGEX MATCH "(gnu|musl)[a-z0-9_]*$" lmada_abi "${lmada_machine}")
if(lmada_machine MATCHES "linux$")
    set(lmada_abi gnu)
endif()
string(TOLOWER "${lmada_processor}" lmada_processor)
if(lmada_processor MATCHES "^(amd64|x64)$")
    set(lmada_processor x86_64)
elseif(lmada_processor STREQUAL "arm64")
    set(lmada_processor aarch64)
elseif(lmada_processor MATCHES "^i[3-6]86$|^x86$")
    set(lmada_processor i686)
elseif(lmada_processor MATCHES "^arm" AND lmada_abi MATCHES "eabihf$")
    set(lmada_processor armv7)
elseif(lmada_processor STREQUAL "ppc64le")
    set(lmada_processor powerpc64le)
elseif(lmada_processor STREQUAL "riscv64")
    set(lmada_processor riscv64gc)
endif()
if(lmada_machine MATCHES "mingw")
    set(lmada_abi gnu)
    set(lmada_rust_target "${lmada_processor}-pc-windows-gnu")
elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    set(lmada_abi darwin)
    set(lmada_rust_target "${lmada_processor}-apple-darwin")
else()
    set(lmada_rust_target "${lmada_processor}-unknown-linux-${lmada_abi}")
endif()

# No target is needed for the machine that builds. (For 32-bit arm, Rust has several names and compilers have one.)
execute_process(COMMAND "${CMAKE_COMMAND}" -E env "PATH=$ENV{PATH}:${lmada_cargo_folder}" rustc -vV
    OUTPUT_VARIABLE lmada_rustc ERROR_QUIET)
string(REGEX MATCH "host: ([^\n]+)" lmada_rustc "${lmada_rustc}")
set(lmada_host "${CMAKE_MATCH_1}")
if(LMADA_RUST_TARGET)
    set(lmada_rust_target "${LMADA_RUST_TARGET}")
elseif(NOT CMAKE_SYSTEM_NAME MATCHES "^(Linux|Windows|Darwin)$" OR (lmada_machine AND NOT lmada_abi))
    message(FATAL_ERROR "lmada knows no Rust target for ${CMAKE_SYSTEM_NAME} (${lmada_machine}); "
        "if Rust has a name for that machine, set LMADA_RUST_TARGET to it")
elseif(NOT lmada_machine OR lmada_rust_target STREQUAL lmada_host OR
    (NOT CMAKE_CROSSCOMPILING AND lmada_processor MATCHES "^arm" AND lmada_host MATCHES "^arm"))
    set(lmada_rust_target "")
endif()

set(lmada_environment "CARGO=${LMADA_CARGO}" "CARGO_TARGET_DIR=${LMADA_TARGET_DIR}" "RUST_TARGET=${lmada_rust_target}")
if(lmada_rust_target)
    if(lmada_compiler)
        list(APPEND lmada_environment "CC=${lmada_compiler}")
    endif()
    # Flags that the compiler needs to link for that machine.
    set(lmada_flags "")
    if(lmada_compiler_target)
        string(APPEND lmada_flags " -Clink-arg=--target=${lmada_compiler_target}")
    endif()
    if(CMAKE_SYSROOT)
        string(APPEND lmada_flags " -Clink-arg=--sysroot=${CMAKE_SYSROOT}")
    endif()
    if(lmada_processor STREQUAL "i686" AND CMAKE_SIZEOF_VOID_P EQUAL 4)
        string(APPEND lmada_flags " -Clink-arg=-m32")
    endif()
    if(lmada_flags)
        string(TOUPPER "${lmada_rust_target}" lmada_variable)
        string(REGEX REPLACE "[-.]" "_" lmada_variable "CARGO_TARGET_${lmada_variable}_RUSTFLAGS")
        string(STRIP "$ENV{${lmada_variable}}${lmada_flags}" lmada_flags)
        list(APPEND lmada_environment "${lmada_variable}=${lmada_flags}")
    endif()
    # The binary utilities that belong to the toolchain.
    foreach(lmada_tool IN ITEMS LINKER:LD OBJCOPY:OBJCOPY AR:AR READELF:READELF)
        string(REPLACE ":" ";" lmada_tool "${lmada_tool}")
        list(GET lmada_tool 0 lmada_variable)
        if(CMAKE_${lmada_variable})
            list(GET lmada_tool 1 lmada_tool)
            list(APPEND lmada_environment "${lmada_tool}=${CMAKE_${lmada_variable}}")
        endif()
    endforeach()
endif()
