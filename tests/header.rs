//! cbindgen generates include/lmada.h from src/capi. `make header` (`LMADA_WRITE_HEADER=1 cargo test --test header`)
//! writes it. Without that variable the test fails if the committed header is stale.

use std::path::Path;

/// The sections of the header, which are the groups of the C reference: name, title, and the start of the declaration
/// before which the section opens. A section ends where the next one opens. A section may open several times.
const SECTIONS: [(&str, &str, &str); 21] = [
    ("info", "Statuses, messages, versions", "#define LMADA_ABI_VERSION "),
    ("handle", "Handles", "typedef struct lmada_t lmada_t;"),
    ("info", "Statuses, messages, versions", "typedef int32_t lmada_status_t;"),
    ("options", "Options", "typedef int32_t lmada_dtype_t;"),
    ("rate", "Learning rate", "typedef int32_t lmada_schedule_t;"),
    ("stats", "Statistics", "typedef struct lmada_stats_t {"),
    ("state", "Saved states", "typedef int (*lmada_write_t)("),
    ("info", "Statuses, messages, versions", "#define LMADA_OK "),
    ("options", "Options", "#define LMADA_F32 "),
    ("rate", "Learning rate", "#define LMADA_SCHEDULE_CONSTANT "),
    ("options", "Options", "lmada_status_t lmada_config_init("),
    ("handle", "Handles", "lmada_status_t lmada_create("),
    ("step", "A step in one call", "lmada_status_t lmada_step("),
    ("phases", "A step in phases", "lmada_status_t lmada_begin("),
    ("bf16", "Mixed precision", "lmada_status_t lmada_step_bf16("),
    ("rules", "Rules of one's own, averaged parameters", "lmada_status_t lmada_observe("),
    ("options", "Options", "lmada_status_t lmada_get_config("),
    ("rate", "Learning rate", "double lmada_schedule("),
    ("stats", "Statistics", "lmada_status_t lmada_stats("),
    ("state", "Saved states", "lmada_status_t lmada_state_size("),
    ("info", "Statuses, messages, versions", "uint32_t lmada_abi_version("),
];

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in [
        "types",
        "handle",
        "config",
        "create",
        "hold",
        "step",
        "phases",
        "bf16",
        "precondition",
        "options",
        "state",
        "stream",
        "info",
    ] {
        builder = builder.with_src(root.join(format!("src/capi/{file}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let mut header = String::from_utf8(header).unwrap();
    // Rust's "Safety" sections are preconditions in C; a typedef needs no `struct`.
    for (rust, c) in [
        ("# Safety\n * ", "@pre "),
        ("struct lmada_t *", "lmada_t *"),
        ("struct lmada_config_t *", "lmada_config_t *"),
        ("struct lmada_stats_t *", "lmada_stats_t *"),
        ("struct lmada_group_t *", "lmada_group_t *"),
    ] {
        header = header.replace(rust, c);
    }
    with_sections(&header)
}

fn with_sections(header: &str) -> String {
    const CLOSE: &str = "/** @} */\n\n";
    let mut rest = header;
    let mut result = String::new();
    for (index, (group, title, start)) in SECTIONS.into_iter().enumerate() {
        let declaration = rest.find(&format!("\n{start}")).unwrap_or_else(|| panic!("{start} is not in its place"));
        let comment = rest[..declaration].rfind("/**\n").expect("every declaration has a comment before it");
        let close = if index > 0 { CLOSE } else { "" };
        result += &format!("{}{close}/**\n * @addtogroup {group} {title}\n * @{{\n */\n\n", &rest[..comment]);
        rest = &rest[comment..];
    }
    let end = rest.find("#ifdef __cplusplus\n}").expect("the end of what C++ takes for C");
    result + &rest[..end] + CLOSE + &rest[end..]
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
    assert!(checked > 110, "only {checked} items found");
}
