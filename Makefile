# lmada: build, test, install. `make help` lists the targets.
#
# GNU make. cargo builds the library; make does the rest.

PREFIX := /usr/local
LIBDIR := $(PREFIX)/lib
BINDIR := $(PREFIX)/bin
INCLUDEDIR := $(PREFIX)/include
DESTDIR :=

# To build for another kind of machine, set RUST_TARGET to Rust's name for it, and CC to the C compiler for it.
RUST_TARGET ?=

# The folder with the built library. Programs and test suites link from this folder, `make install` copies from it.
target_dir := $(if $(filter /%,$(firstword $(CARGO_TARGET_DIR))),,$(CURDIR)/)$(or $(CARGO_TARGET_DIR),target)
BUILT := $(target_dir)/$(if $(RUST_TARGET),$(RUST_TARGET)/)lmada
export LMADA_LIB_DIR ?= $(BUILT)
export RUST_TARGET

# Only Cargo.toml has the version.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
MAJOR := $(firstword $(subst ., ,$(VERSION)))
DESCRIPTION := $(shell sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)

# In the order in which `make test` runs them.
SUITES := rust c ubsan mpi abi instructions fuzz examples experiments cpp libtorch dlib ensmallen julia go python install docs readme
# Longer suites, which are not part of `make test`.
LONG := asan tsan msan aarch64 processors large torch
# Other systems and processors (tests/platforms). `make test-platforms` runs all of them.
PLATFORMS := musl windows macos i686 s390x wasm

.PHONY: all need-lbfgs lib header option-lists docs demo demo-mpi evidence evidence-large bench bench-peers bench-scaling bench-compare
.PHONY: fuzz soak test
.PHONY: $(SUITES:%=test-%) $(LONG:%=test-%) $(PLATFORMS:%=test-%) test-platforms
.PHONY: install install-cmake uninstall clean help
.DEFAULT_GOAL := all

## all           builds the shared and the static library in target/lmada (RUST_TARGET=..., CC=...: for another machine)
all: lib

lib:
	@scripts/need cc cargo
	scripts/build-library "$(BUILT)"

## demo          trains two models with lmada and with others: a table, and a picture of the losses (a minute)
## evidence      trains on all tasks with all optimizers; writes docs/evidence.md (under an hour; goes on if interrupted)
## evidence-large  a larger GPT, and optimizers in PyTorch, which it installs under target/ (hours; likewise)
evidence evidence-large: need-lbfgs
demo evidence evidence-large: lib
	@scripts/need cc make gzip
	$(MAKE) -C experiments $@

need-lbfgs:
	@scripts/need /usr/include/lbfgs.h

## demo-mpi      trains one model on four processes over MPI and on one, and prints the difference of the losses
demo-mpi: lib
	@scripts/need cc make gzip mpicc mpirun
	@$(MAKE) --no-print-directory -s -C examples mpi

## bench         times a step and compares with the speed of memory; writes docs/performance.md
## bench-peers   compares a step with optimizers in PyTorch, installed under target/; writes docs/performance.md
## bench-scaling times a step on one process and on two, under MPI; writes docs/scaling.md
## bench-compare times the two passes of another build (OLD=PATH to its liblmada.so) and of this build, in turn
bench bench-peers bench-compare: lib
	$(MAKE) -C bench $@

bench-scaling: lib
	@scripts/need mpicc mpirun
	$(MAKE) -C bench $@

## fuzz          fuzzes the C interface on all cores, for FUZZ_SECONDS (600) with each of three targets
fuzz:
	@fuzz/run long

## soak          takes millions of steps, checks memory, Gram matrix, finite results (long; short form in test-rust)
soak:
	@scripts/need cc cargo
	cargo test --release --locked --test endurance -- --long

## test          runs every suite below, in this order; stops at the first failure
test: lib
	@scripts/run-suites $(SUITES)

## test-rust     formatting, lints, the core's tests, its documentation
## test-c        the C interface, called from C
## test-ubsan    the C interface again, with the checks for undefined behaviour of C and Rust
## test-mpi      one model over 1 to 5 processes, under Open MPI
## test-abi      the binary interface against the recorded one; an old program (RECORD=1 records the new interface)
## test-instructions  the instruction counts of the passes and a small step (RECORD=1 records the new counts)
## test-fuzz     every seed of the fuzz targets, then inputs made from the seeds
## test-examples the examples in C
## test-experiments  what makes the demo and docs/evidence.md, in miniature
## test-cpp      the C++ binding
## test-libtorch the optimizer for libtorch, with the system's libtorch
## test-dlib     the solver and the search strategy for dlib
## test-ensmallen  the update policy for ensmallen, with a substitute for ensmallen
## test-julia    the Julia binding
## test-go       the Go binding
## test-python   the Python package, with Debian's NumPy and PyTorch
## test-install  the files of `make install`, used from outside the tree
## test-docs     the examples in the C reference; both references without warnings; links
## test-readme   the code in README.md and docs/in-your-training-loop.md
$(SUITES:%=test-%): test-%: lib
	@scripts/run-suites $*

## test-asan     the tests of core and C interface under AddressSanitizer and LeakSanitizer (long)
## test-tsan     the tests with several threads under ThreadSanitizer (long)
## test-msan     the core's tests under MemorySanitizer (long)
## test-aarch64  the core's tests and the C suite on aarch64, under qemu (long)
## test-processors  the core's tests without AVX2, training on processors without AVX2, FMA or F16C, under qemu (long)
## test-large    a model of more than 2^31 parameters, in each format for which there is enough memory (long)
## test-torch    lmada for PyTorch and libtorch, with PyPI's current PyTorch, installed under target/ (long, 5 GB)
test-processors test-large test-torch: lib
$(LONG:%=test-%) $(PLATFORMS:%=test-%): test-%:
	@scripts/run-suites $*

## test-platforms  test-musl, -windows, -macos, -i686, -s390x and -wasm: other systems (long; docs/platforms.md)
test-platforms:
	@scripts/run-suites $(PLATFORMS)

## header        generates include/lmada.h from the Rust sources
header:
	@scripts/need cc cargo
	LMADA_WRITE_HEADER=1 cargo test --locked --test header

## docs          makes the C reference (doxygen) and the Rust reference (rustdoc), and prints their paths
docs:
	@scripts/need cargo doxygen
	@mkdir -p build/docs
	doxygen docs/Doxyfile
	cargo doc --locked --no-deps
	@echo "docs: $(CURDIR)/build/docs/c/index.html"
	@echo "docs: $(target_dir)/doc/lmada/index.html"

## option-lists  generates the lists of options in other files from src/config.rs
option-lists:
	@scripts/need cc cargo
	LMADA_WRITE_LISTS=1 cargo test --locked --test option_lists generated

## install       installs headers, libraries, lmada.pc and the CMake package under DESTDIR/PREFIX (LIBDIR, INCLUDEDIR)
## install-cmake installs only the CMake package, next to an installed library (see CONTRIBUTING.md)
## uninstall     removes all installed files
# `make install` first builds a library that is not built from the current sources. After `make`, root needs no Rust:
# `make && sudo make install`. Two thirds of the static library are debug information of Rust's standard library. STRIP
# has to support the processor that the library is for.
STRIP = $(shell $(CC) -print-prog-name=strip 2>/dev/null || echo strip)

headers := include/lmada.h include/lmada_mpi.h bindings/cpp/lmada.hpp
cpp_parts := $(wildcard bindings/cpp/lmada/*.hpp)
pkgconfigdir = $(LIBDIR)/pkgconfig
cmakedir = $(LIBDIR)/cmake/lmada

# $(call fill,TEMPLATE,FILE): writes paths relative to LIBDIR, so that an installation can be moved.
from_libdir = $$(scripts/relative-path "$(LIBDIR)" "$(1)" | sed 's/[&|\\]/\\&/g')
fill = sed -e "s|@PREFIX_FROM_LIBDIR@|$(call from_libdir,$(or $(PREFIX),/))|" \
	-e "s|@INCLUDEDIR_FROM_LIBDIR@|$(call from_libdir,$(INCLUDEDIR))|" \
	-e "s|@STATIC_LIBS@|$$(cat "$(BUILT)/static-libs")|" -e "s|@LIBS_IF_STATIC@|$(libs_if_static)|" \
	-e "s|@SIZEOF_VOID_P@|$(call name,pointer)|" \
	-e "s|@SHARED@|$(shared_from_libdir)|" -e "s|@SONAME@|$(call name,soname)|" -e "s|@LINK@|$(call name,link)|" \
	-e "s|@DESCRIPTION@|$(DESCRIPTION)|" -e "s|@VERSION@|$(VERSION)|" \
	$(1) >"$(DESTDIR)$(2)" && chmod 644 "$(DESTDIR)$(2)"
# $(call name,KEY): a name or size on the system that the library is for (scripts/library-names has the keys).
name = $$(sed -n 's/^$(1)=//p' "$(BUILT)/names")
# Without a shared library, a program links with the libraries that the static library needs.
libs_if_static = $$([ -n "$(call name,built)" ] || sed 's/^/ /' "$(BUILT)/static-libs")
# Windows looks for DLLs in the folder of the program.
shared_from_libdir = $$(case $(call name,shared) in *.dll) echo "$(call from_libdir,$(BINDIR))/" ;; esac)$(call name,shared)

define install_cmake
	install -d "$(DESTDIR)$(cmakedir)"
	$(call fill,cmake/lmada-config.cmake.in,$(cmakedir)/lmada-config.cmake)
	$(call fill,cmake/lmada-config-version.cmake.in,$(cmakedir)/lmada-config-version.cmake)
endef

# `make -j all install` builds first.
.PHONY: built
built: $(filter lib,$(MAKECMDGOALS:all=lib))
	@scripts/built "$(BUILT)"

install: built
	install -d "$(DESTDIR)$(INCLUDEDIR)/lmada" "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(pkgconfigdir)"
	install -m 644 $(headers) "$(DESTDIR)$(INCLUDEDIR)/"
	install -m 644 $(cpp_parts) "$(DESTDIR)$(INCLUDEDIR)/lmada/"
	STRIP="$(STRIP)" scripts/install-library "$(BUILT)" "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(BINDIR)"
	$(call fill,lmada.pc.in,$(pkgconfigdir)/lmada.pc)
	$(install_cmake)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

install-cmake:
	@mkdir -p "$(BUILT)"
	@[ -e "$(BUILT)/static-libs" ] || scripts/static-libs >"$(BUILT)/static-libs"
	@[ -e "$(BUILT)/names" ] || scripts/library-names >"$(BUILT)/names"
	$(install_cmake)

uninstall:
	rm -f $(patsubst %,"$(DESTDIR)$(INCLUDEDIR)/%",$(notdir $(headers)) $(addprefix lmada/,$(notdir $(cpp_parts))))
	[ ! -d "$(DESTDIR)$(INCLUDEDIR)/lmada" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$(INCLUDEDIR)/lmada"
	rm -f "$(DESTDIR)$(LIBDIR)/liblmada.a"
	rm -f "$(DESTDIR)$(LIBDIR)"/liblmada.so "$(DESTDIR)$(LIBDIR)"/liblmada.dylib
	rm -f "$(DESTDIR)$(LIBDIR)"/liblmada.so.$(MAJOR) "$(DESTDIR)$(LIBDIR)"/liblmada.so.$(MAJOR).*
	rm -f "$(DESTDIR)$(LIBDIR)"/liblmada.$(MAJOR).dylib "$(DESTDIR)$(LIBDIR)"/liblmada.$(MAJOR).*.dylib
	rm -f "$(DESTDIR)$(LIBDIR)"/liblmada.dll.a "$(DESTDIR)$(BINDIR)"/lmada.dll
	rm -f "$(DESTDIR)$(pkgconfigdir)/lmada.pc"
	rm -rf "$(DESTDIR)$(cmakedir)"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

## clean         removes all build output
clean:
	cargo clean
	rm -rf build

## help          prints this list
help:
	@echo "usage: make [TARGET] [PREFIX=/usr/local] [DESTDIR=]"
	@sed -n 's/^## /  /p' $(firstword $(MAKEFILE_LIST))
