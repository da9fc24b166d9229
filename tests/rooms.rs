//! Which room of `src/` may use which: `ARCHITECTURE.md` promises that nothing points back up.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// From the top down. A room may use those below it that it names here, and no other.
const ROOMS: [(&str, &[&str]); 14] = [
    ("capi", &["optimizer", "schedule", "tensors", "parallel", "kernels", "memory", "fault", "config", "error"]),
    (
        "optimizer",
        &[
            "window",
            "tensors",
            "checkpoint",
            "gram",
            "spectral",
            "parallel",
            "kernels",
            "memory",
            "fault",
            "config",
            "error",
        ],
    ),
    ("schedule", &[]),
    ("window", &["checkpoint", "kernels", "memory", "config", "error"]),
    ("tensors", &["memory"]),
    ("checkpoint", &["memory", "error"]),
    ("gram", &["memory", "error"]),
    ("spectral", &["kernels", "memory", "config", "error"]),
    ("parallel", &["memory", "error"]),
    ("kernels", &["memory", "config"]),
    ("memory", &["error"]),
    ("fault", &[]),
    ("config", &["error"]),
    ("error", &[]),
];

/// The text of a room without its tests.
fn code(path: &Path) -> String {
    let mut text = String::new();
    if path.is_dir() {
        let mut entries: Vec<_> = read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        let tests = ["tests", "tests.rs", "defects.rs"];
        let is_code = |path: &Path| !tests.contains(&path.file_name().unwrap().to_str().unwrap());
        entries.iter().filter(|path| is_code(path)).for_each(|path| text.push_str(&code(path)));
    } else {
        let whole = read_to_string(path).unwrap();
        let lines = whole.split("#[cfg(test)]\nmod tests").next().unwrap().lines();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        lines.filter(is_code).for_each(|line| text.extend([line, "\n"]));
    }
    text
}

/// The rooms that a text names as `crate::room`, or within `use crate::{...}`.
fn used(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap().split(',');
                found.extend(list.map(|item| word(item.trim_start())));
            }
            None => drop(found.insert(word(after))),
        }
    }
    found
}

#[test]
fn no_room_uses_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    for (place, (room, may_use)) in ROOMS.into_iter().enumerate() {
        for below in may_use {
            let there = ROOMS.iter().position(|(name, _)| name == below).unwrap();
            assert!(there > place || (room, *below) == ("error", "config"), "{below} is above {room}");
        }
        let file = source.join(format!("{room}.rs"));
        let mut text = if file.is_file() { code(&file) } else { String::new() };
        let folder = source.join(room);
        if folder.is_dir() {
            text.push_str(&code(&folder));
        }
        assert!(!text.is_empty(), "there is no room {room}");
        for name in used(&text) {
            let is_room = ROOMS.iter().any(|(other, _)| *other == name);
            assert!(!is_room || name == room || may_use.contains(&name.as_str()), "{room} uses {name}");
        }
        seen.insert(room.to_owned());
    }
    for entry in read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(name == "lib" || seen.contains(&name), "{name} is in no floor of this test");
    }
}

#[test]
fn unsafe_code_stands_where_the_rules_say() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let may = ["capi", "kernels", "memory", "parallel", "tensors"];
    for (room, _) in ROOMS.into_iter().filter(|(room, _)| !may.contains(room)) {
        let mut files = vec![source.join(format!("{room}.rs"))];
        if let Ok(entries) = read_dir(source.join(room)) {
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        // Where a chunk writes its part of what the caller gave.
        let writes = ["chunk.rs", "output.rs", "precondition.rs"].map(|file| source.join("optimizer").join(file));
        for file in files.iter().filter(|file| file.exists() && !writes.contains(file)) {
            assert!(!code(file).contains("unsafe "), "{}", file.display());
        }
    }
}

#[test]
fn code_that_differs_by_system_is_in_these_files() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let may = ["kernels", "memory/pages.rs", "parallel/system", "parallel/float_mode.rs", "parallel/tests/mod.rs"];
    let may = may.map(|path| source.join(path));
    let mut left = vec![source];
    let mut asked = BTreeSet::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if code_asks_for_system(&code(&path)) {
            assert!(may.iter().any(|may| path.starts_with(may)), "{}", path.display());
            asked.insert(path);
        }
    }
    assert!(asked.len() >= 4, "{asked:?}");
}

/// Whether the text has a condition (`cfg`) on the system or the processor. The order of bytes does not count:
/// `checkpoint.rs` asks for it.
fn code_asks_for_system(text: &str) -> bool {
    let words = [
        "target_os",
        "target_arch",
        "target_env",
        "target_family",
        "target_feature",
        "target_pointer_width",
        "target_vendor",
        "unix",
        "windows",
    ];
    let mut conditions = text.split("cfg").skip(1).map(|after| after.split([']', '{', ';']).next().unwrap());
    conditions.any(|condition| words.iter().any(|word| condition.contains(word)))
}

#[test]
fn a_condition_on_the_system_is_seen_however_it_is_written() {
    for text in ["#[cfg(unix)]", "#[cfg(all(\n    test,\n    target_os = \"linux\",\n))]", "if cfg!(windows) {"] {
        assert!(code_asks_for_system(text), "{text}");
    }
    for text in ["#[cfg(test)]\nmod windows;", "cfg!(target_endian = \"little\");\nlet unix = 1;"] {
        assert!(!code_asks_for_system(text), "{text}");
    }
}

#[test]
fn a_use_is_seen_however_it_is_written() {
    let text = "use crate::window::Window;\nfn f() { crate::spectral::solve() }\nuse crate::{Config, gram::Gram};\n";
    let found = used(text);
    for room in ["window", "spectral", "gram", "Config"] {
        assert!(found.contains(room), "{room} of {found:?}");
    }
}
