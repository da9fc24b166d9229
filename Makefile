# lmada: build, test, install. `make help` lists the targets.
#
# GNU make. The library is built by cargo; make knows what surrounds it.

PREFIX := /usr/local
LIBDIR := $(PREFIX)/lib
BINDIR := $(PREFIX)/bin
INCLUDEDIR := $(PREFIX)/include
DESTDIR :=

# To build for another kind of machine: Rust's name for it, with CC set to the C compiler for it.
RUST_TARGET ?=

# The folder with the built library: programs and test suites link from here, `make install` copies from here.
target_dir := $(if $(filter /%,$(firstword $(CARGO_TARGET_DIR))),,$(CURDIR)/)$(or $(CARGO_TARGET_DIR),target)
BUILT := $(target_dir)/$(if $(RUST_TARGET),$(RUST_TARGET)/)lmada
export LMADA_LIB_DIR ?= $(BUILT)
export RUST_TARGET

# The version stands in Cargo.toml and nowhere else.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
MAJOR := $(firstword $(subst ., ,$(VERSION)))
DESCRIPTION := $(shell sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)

# In the order in which `make test` runs them.
SUITES := rust c ubsan mpi abi instructions fuzz examples cpp libtorch dlib ensmallen julia go python install docs readme
# Longer ones, not part of `make test`.
LONG := asan tsan msan aarch64 processors large torch
# Other systems and processors (tests/platforms). `make test-platforms` runs all.
PLATFORMS := musl windows macos i686 s390x wasm

.PHONY: all lib header option-lists docs demo demo-mpi recommended evidence-gpt bench bench-peers bench-scaling bench-compare
.PHONY: fuzz soak test
.PHONY: $(SUITES:%=test-%) $(LONG:%=test-%) $(PLATFORMS:%=test-%) test-platforms
.PHONY: install install-cmake uninstall clean help
.DEFAULT_GOAL := all

## all           the shared and the static library, in target/lmada (RUST_TARGET=..., CC=...: for another machine)
all: lib

lib:
	@scripts/need cc cargo
	scripts/build-library "$(BUILT)"

## demo          trains small models with lmada and with others, and draws the loss curves
## recommended   measures the settings that lmada_config_recommended chooses from (long)
## evidence-gpt  trains a small GPT with lmada and with others (half an hour; goes on where it was interrupted)
demo recommended evidence-gpt: lib
	$(MAKE) -C examples $@

## demo-mpi      trains one model on four processes over MPI and on one, and says how far apart they end
demo-mpi: lib
	@scripts/need cc make gzip mpicc mpirun
	@$(MAKE) --no-print-directory -s -C examples mpi

## bench         times a step against the speed at which memory is read; writes docs/performance.md
## bench-peers   times a step against others in PyTorch, which it installs under target/; writes docs/performance.md
## bench-scaling times a step on one process and on two, under MPI; writes docs/scaling.md
## bench-compare times the two passes of another build, OLD=PATH to its liblmada.so, and of this one, in turn
bench bench-peers bench-compare: lib
	$(MAKE) -C bench $@

bench-scaling: lib
	@scripts/need mpicc mpirun
	$(MAKE) -C bench $@

## fuzz          fuzzes the C interface on all cores, FUZZ_SECONDS (600) for each of three targets
fuzz:
	@fuzz/run long

## soak          millions of steps: memory, the Gram matrix, finite results (long; its short form is in test-rust)
soak:
	@scripts/need cc cargo
	cargo test --release --locked --test endurance -- --long

## test          every suite below, in this order; stops at the first that fails
test: lib
	@scripts/run-suites $(SUITES)

## test-rust     formatting, lints, the core's tests, its documentation
## test-c        the C interface, as a C program sees it
## test-ubsan    the C interface once more, with the checks of undefined behaviour that C and Rust have
## test-mpi      one model over 1 to 5 processes, under Open MPI
## test-abi      the binary interface against the one recorded; an old program (RECORD=1 records it anew)
## test-instructions  how many instructions the passes and a small step take (RECORD=1 writes the counts anew)
## test-fuzz     every committed input of the fuzz targets, then some more made of them
## test-examples the examples in C
## test-cpp      the C++ binding
## test-libtorch the optimizer for libtorch, with the system's
## test-dlib     the solver and the search strategy for dlib
## test-ensmallen  the update policy for ensmallen, with a stand-in for it
## test-julia    the Julia binding
## test-go       the Go binding
## test-python   the Python package, with Debian's NumPy and PyTorch
## test-install  what `make install` installs, used from outside the tree
## test-docs     the examples in the C reference; both references, made without a warning; links
## test-readme   the code in README.md and docs/in-your-training-loop.md
$(SUITES:%=test-%): test-%: lib
	@scripts/run-suites $*

## test-asan     the tests of core and C interface under AddressSanitizer and LeakSanitizer (long)
## test-tsan     what runs on several threads under ThreadSanitizer (long)
## test-msan     the core's tests under MemorySanitizer (long)
## test-aarch64  the core's tests and the C suite on aarch64, under qemu (long)
## test-processors  the core's tests without AVX2, training on processors that lack a part of it, under qemu (long)
## test-large    a model of more than 2^31 parameters, in the formats that memory allows (long)
## test-torch    lmada for PyTorch and libtorch, with PyPI's current PyTorch, installed under target/ (long, 5 GB)
test-processors test-large test-torch: lib
$(LONG:%=test-%) $(PLATFORMS:%=test-%): test-%:
	@scripts/run-suites $*

## test-platforms  all of test-musl, -windows, -macos, -i686, -s390x and -wasm: other systems (long; docs/platforms.md)
test-platforms:
	@scripts/run-suites $(PLATFORMS)

## header        writes include/lmada.h anew from the Rust sources
header:
	@scripts/need cc cargo
	LMADA_WRITE_HEADER=1 cargo test --locked --test header

## docs          the C reference (doxygen) and the Rust one (rustdoc); prints where
docs:
	@scripts/need cargo doxygen
	@mkdir -p build/docs
	doxygen docs/Doxyfile
	cargo doc --locked --no-deps
	@echo "docs: $(CURDIR)/build/docs/c/index.html"
	@echo "docs: $(target_dir)/doc/lmada/index.html"

## option-lists  writes the lists of the options anew that are made from src/config.rs
option-lists:
	@scripts/need cc cargo
	LMADA_WRITE_LISTS=1 cargo test --locked --test option_lists generated

## install       headers, libraries, lmada.pc and the CMake package, under DESTDIR/PREFIX (LIBDIR, INCLUDEDIR likewise)
## install-cmake the CMake package alone, beside a library that is installed (see CONTRIBUTING.md)
## uninstall     removes what install put there
# A library that is not built from the sources as they are now is built before it is installed. After `make`, root needs
# no Rust: `make && sudo make install`. Two thirds of the static library are debugging information of Rust's own
# library. STRIP has to know the processor that the library is for.
STRIP = $(shell $(CC) -print-prog-name=strip 2>/dev/null || echo strip)

headers := include/lmada.h include/lmada_mpi.h bindings/cpp/lmada.hpp
cpp_parts := $(wildcard bindings/cpp/lmada/*.hpp)
pkgconfigdir = $(LIBDIR)/pkgconfig
cmakedir = $(LIBDIR)/cmake/lmada

# $(call fill,TEMPLATE,FILE): paths in it are relative to LIBDIR, so that an installation can be moved.
from_libdir = $$(scripts/relative-path "$(LIBDIR)" "$(1)" | sed 's/[&|\\]/\\&/g')
fill = sed -e "s|@PREFIX_FROM_LIBDIR@|$(call from_libdir,$(PREFIX))|" \
	-e "s|@INCLUDEDIR_FROM_LIBDIR@|$(call from_libdir,$(INCLUDEDIR))|" \
	-e "s|@STATIC_LIBS@|$$(cat "$(BUILT)/static-libs")|" -e "s|@LIBS_IF_STATIC@|$(libs_if_static)|" \
	-e "s|@SIZEOF_VOID_P@|$(call name,pointer)|" \
	-e "s|@SHARED@|$(shared_from_libdir)|" -e "s|@SONAME@|$(call name,soname)|" -e "s|@LINK@|$(call name,link)|" \
	-e "s|@DESCRIPTION@|$(DESCRIPTION)|" -e "s|@VERSION@|$(VERSION)|" \
	$(1) >"$(DESTDIR)$(2)" && chmod 644 "$(DESTDIR)$(2)"
# $(call name,KEY): a name or size on the system that the library is for (scripts/library-names has the keys).
name = $$(sed -n 's/^$(1)=//p' "$(BUILT)/names")
# Where there is no shared library, a program links with what the static library needs.
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

## clean         removes everything that was built
clean:
	cargo clean
	rm -rf build

## help          this list
help:
	@echo "usage: make [TARGET] [PREFIX=/usr/local] [DESTDIR=]"
	@sed -n 's/^## /  /p' $(firstword $(MAKEFILE_LIST))
