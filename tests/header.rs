//! include/lmada.h is what cbindgen makes of src/capi. `LMADA_WRITE_HEADER=1 cargo test --test header` (that is
//! `make header`) writes it; without that the test fails when the committed header is stale.

use std::path::Path;

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["types", "guard", "config", "create", "step", "phases", "state", "info"] {
        builder = builder.with_src(root.join(format!("src/capi/{file}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let mut header = String::from_utf8(header).unwrap();
    // What Rust calls safety are preconditions to a C programmer; a typedef needs no `struct` before it.
    for (rust, c) in [
        ("# Safety\n * ", "@pre "),
        ("struct lmada_t *", "lmada_t *"),
        ("struct lmada_config_t *", "lmada_config_t *"),
        ("struct lmada_stats_t *", "lmada_stats_t *"),
    ] {
        header = header.replace(rust, c);
    }
    header
}

#[test]
fn header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/lmada.h");
    let header = generate();
    if std::env::var_os("LMADA_WRITE_HEADER").is_some() {
        std::fs::write(&path, &header).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == header, "include/lmada.h is stale: run `make header` and commit it");
}

#[test]
fn every_item_is_documented() {
    let header = generate();
    let lines: Vec<&str> = header.lines().collect();
    let mut checked = 0;
    for (index, line) in lines.iter().enumerate() {
        let field = line.strip_prefix("    ").is_some_and(|rest| rest.ends_with(';') && !rest.starts_with([' ', '*']));
        let constant = line.starts_with("#define LMADA_") && line.split_whitespace().count() > 2;
        let declaration = line.starts_with("typedef")
            || (line.starts_with(|c: char| c.is_alphabetic()) && line.contains("lmada_") && line.contains('('));
        let constant = constant && line.split_whitespace().count() > 2;
        if field || constant || declaration {
            assert!(lines[index - 1].trim() == "*/", "no documentation before: {line}");
            checked += 1;
        }
    }
    assert!(checked > 80, "only {checked} items found");
}
