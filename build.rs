//! Sets the SONAME of the shared library, `liblmada.so.0` (`liblmada.0.dylib` on macOS), so that programs keep working
//! with later compatible versions. `make lib` makes a link of that name beside the library.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let major = var("CARGO_PKG_VERSION_MAJOR").expect("set by cargo");
    match var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liblmada.so.{major}"),
        Ok("macos") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/liblmada.{major}.dylib");
        }
        _ => {}
    }
}
