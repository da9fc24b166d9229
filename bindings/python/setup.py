"""Builds the package with the library, or without it to use an installed library.

- If LMADA_LIBRARY names a library, the package gets this library.
- Otherwise, in the repository, cargo builds the library, unless the one in target/lmada is current.
- Otherwise, if the system's loader finds a library, the package contains none and uses the installed one.
"""

import ctypes
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SONAME = "liblmada.so.0"


def version():
    """The version in Cargo.toml, or in PKG-INFO for a source distribution, which has no Cargo.toml."""
    for file, pattern in ((REPOSITORY / "Cargo.toml", r'^version = "(.*)"$'), (HERE / "PKG-INFO", r"^Version: (.*)$")):
        found = file.exists() and re.search(pattern, file.read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise SystemExit("lmada: neither Cargo.toml nor PKG-INFO tells the version")


def library():
    """The library to copy into the package. None: the package uses an installed library."""
    chosen = os.environ.get("LMADA_LIBRARY")
    if chosen:
        if not Path(chosen).is_file():
            raise SystemExit(f"lmada: LMADA_LIBRARY is {chosen}, which is no file")
        return Path(chosen)
    why = "this is no repository of lmada"
    built = Path(os.environ.get("LMADA_LIB_DIR", REPOSITORY / "target" / "lmada"))
    if (REPOSITORY / "scripts" / "built").exists():
        run = subprocess.run([REPOSITORY / "scripts" / "built", built], stderr=subprocess.PIPE, text=True)
        if run.returncode == 0:
            return built / "liblmada.so"
        why = run.stderr.strip()
    try:
        ctypes.CDLL(SONAME)
    except OSError:
        raise SystemExit(
            f"lmada: no library to build with: {why}; none is installed; LMADA_LIBRARY may name one"
        ) from None
    return None


def platform_tag(file):
    """The wheel's platform tag (PEP 600): the newest glibc version among the symbols that the library uses."""
    if platform.libc_ver()[0] != "glibc":
        return None
    minors = [int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", file.read_bytes())]
    return f"manylinux_2_{max([17, *minors])}_{platform.machine()}"


LIBRARY = library()


class Package(Distribution):
    """A package with a library is for one kind of machine."""

    def has_ext_modules(self):
        return LIBRARY is not None


class BuildPackage(build_py):
    def run(self):
        super().run()
        # An editable package finds the library in the repository.
        if LIBRARY and not getattr(self, "editable_mode", False):
            shutil.copy(LIBRARY, Path(self.build_lib) / "lmada" / SONAME)


class BuildWheel(bdist_wheel):
    def get_tag(self):
        if LIBRARY is None:
            return super().get_tag()
        return "py3", "none", platform_tag(LIBRARY) or super().get_tag()[2]


setup(version=version(), distclass=Package, cmdclass={"build_py": BuildPackage, "bdist_wheel": BuildWheel})
