# lmada: build, test, install. `make help` lists the targets.
#
# GNU make. The library is built by cargo; make knows what surrounds it.

PREFIX := /usr/local
LIBDIR := $(PREFIX)/lib
INCLUDEDIR := $(PREFIX)/include
DESTDIR :=

# Where cargo puts the library, and where the test suites look for it.
RELEASE := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release
export LMADA_LIB_DIR ?= $(RELEASE)

# The version stands in Cargo.toml and nowhere else.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
DESCRIPTION := $(shell sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)
SONAME := liblmada.so.$(firstword $(subst ., ,$(VERSION)))

# In the order in which `make test` runs them.
SUITES := rust c instructions fuzz examples cpp julia go install readme

.PHONY: all lib header demo recommended bench bench-peers fuzz test $(SUITES:%=test-%) install uninstall clean help
.DEFAULT_GOAL := all

## all           the shared and the static library, in target/release
all: lib

# What a program linked with the static library needs besides is asked of rustc. The compiler driver adds libgcc and
# libc itself, in the form that fits (a fully static program cannot have -lgcc_s).
lib:
	@scripts/need cc cargo
	cargo build --release --locked
	@ln -sf liblmada.so "$(RELEASE)/$(SONAME)"
	@rustc --crate-name empty --crate-type staticlib --print native-static-libs -o "$(RELEASE)/empty.a" - \
		</dev/null 2>&1 | sed -n 's/.*native-static-libs: //p' | sed 's/-lgcc_s *//; s/ *-lc$$//' \
		>"$(RELEASE)/static-libs"
	@rm "$(RELEASE)/empty.a"
	@test -s "$(RELEASE)/static-libs"

## demo          trains small models with lmada and with others, and draws the loss curves
## recommended   measures the settings that lmada_config_recommended chooses from (long)
demo recommended: lib
	$(MAKE) -C examples $@

## bench         times a step against the speed at which memory is read; writes docs/performance.md
## bench-peers   times a step against others in PyTorch, which it installs under target/; writes docs/performance.md
bench bench-peers: lib
	$(MAKE) -C bench $@

## fuzz          fuzzes the C interface on all cores, FUZZ_SECONDS (600) for each of three targets
fuzz:
	@fuzz/run long

## test          every suite below, in this order; stops at the first that fails
test: lib
	@scripts/run-suites $(SUITES)

## test-rust     formatting, lints, the core's tests, its documentation
## test-c        the C interface, as a C program sees it
## test-instructions  how many instructions the passes and a small step take (RECORD=1 writes the counts anew)
## test-fuzz     every committed input of the fuzz targets, then some more made of them
## test-examples the examples in C
## test-cpp      the C++ binding
## test-julia    the Julia binding
## test-go       the Go binding
## test-install  what `make install` installs, used from outside the tree
## test-readme   the code in README.md
$(SUITES:%=test-%): test-%: lib
	@scripts/run-suites $*

## header        writes include/lmada.h anew from the Rust sources
header:
	@scripts/need cc cargo
	LMADA_WRITE_HEADER=1 cargo test --locked --test header

## install       header files, libraries and lmada.pc, under DESTDIR/PREFIX (PREFIX is /usr/local; LIBDIR, INCLUDEDIR)
## uninstall     removes what install put there
# Installing builds only what is missing, so that root needs no Rust: `make && sudo make install`.
pkgconfigdir = $(LIBDIR)/pkgconfig
from_pkgconfig = $$(realpath -ms --relative-to="$(pkgconfigdir)" "$(1)")

install: | $(RELEASE)/static-libs
	install -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(pkgconfigdir)"
	install -m 644 include/lmada.h bindings/cpp/lmada.hpp "$(DESTDIR)$(INCLUDEDIR)/"
	install -m 644 "$(RELEASE)/liblmada.a" "$(DESTDIR)$(LIBDIR)/"
	install -m 755 "$(RELEASE)/liblmada.so" "$(DESTDIR)$(LIBDIR)/liblmada.so.$(VERSION)"
	ln -sf liblmada.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/liblmada.so"
	sed -e "s|@PREFIX_FROM_HERE@|$(call from_pkgconfig,$(PREFIX)/)|" \
		-e "s|@INCLUDEDIR_FROM_HERE@|$(call from_pkgconfig,$(INCLUDEDIR))|" \
		-e "s|@STATIC_LIBS@|$$(cat "$(RELEASE)/static-libs")|" \
		-e "s|@DESCRIPTION@|$(DESCRIPTION)|" -e "s|@VERSION@|$(VERSION)|" \
		lmada.pc.in >"$(DESTDIR)$(pkgconfigdir)/lmada.pc"
	chmod 644 "$(DESTDIR)$(pkgconfigdir)/lmada.pc"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

$(RELEASE)/static-libs:
	$(MAKE) lib

uninstall:
	rm -f "$(DESTDIR)$(INCLUDEDIR)/lmada.h" "$(DESTDIR)$(INCLUDEDIR)/lmada.hpp" "$(DESTDIR)$(LIBDIR)/liblmada.a"
	rm -f "$(DESTDIR)$(LIBDIR)/liblmada.so" "$(DESTDIR)$(LIBDIR)/$(SONAME)" "$(DESTDIR)$(LIBDIR)/liblmada.so.$(VERSION)"
	rm -f "$(DESTDIR)$(pkgconfigdir)/lmada.pc"
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

## clean         removes everything that was built
clean:
	cargo clean
	rm -rf build

## help          this list
help:
	@echo "usage: make [TARGET] [PREFIX=/usr/local] [DESTDIR=]"
	@sed -n 's/^## /  /p' $(firstword $(MAKEFILE_LIST))
