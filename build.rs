//! Gives the shared library its SONAME, so that programs ask for `liblmada.so.0` and go on working when a compatible
//! version replaces it. `make lib` puts a link of that name beside the library.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let major = var("CARGO_PKG_VERSION_MAJOR").expect("set by cargo");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liblmada.so.{major}");
    }
}
