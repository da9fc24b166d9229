//! Which module of `src/` may use which, as `ARCHITECTURE.md` promises: no module uses one above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// The modules from the top down. A module may use only the modules below it that its list names.
const ROOMS: [(&str, &[&str]); 15] = [
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
    ("spectral", &["simd", "memory", "config", "error"]),
    ("parallel", &["memory", "error"]),
    ("kernels", &["simd", "memory", "config"]),
    ("simd", &["memory"]),
    ("memory", &["error"]),
    ("fault", &[]),
    ("config", &["error"]),
    ("error", &[]),
];

/// The text of a module without its tests.
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
        let whole = whole.replace("#[cfg(test)]\nmod tests;\n", "");
        let lines = whole.split("#[cfg(test)]\nmod tests {").next().unwrap().lines();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        lines.filter(is_code).for_each(|line| text.extend([line, "\n"]));
    }
    text
}

/// The modules that a text names as `crate::module`, or within `use crate::{...}`.
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
            assert!(there > place, "{below} is above {room}");
        }
        let file = source.join(format!("{room}.rs"));
        let mut text = if file.is_file() { code(&file) } else { String::new() };
        let folder = source.join(room);
        if folder.is_dir() {
            text.push_str(&code(&folder));
        }
        assert!(!text.is_empty(), "there is no module {room}");
        for name in used(&text) {
            let is_room = ROOMS.iter().any(|(other, _)| *other == name);
            assert!(!is_room || name == room || may_use.contains(&name.as_str()), "{room} uses {name}");
        }
        seen.insert(room.to_owned());
    }
    for entry in read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(name == "lib" || seen.contains(&name), "{name} is not in ROOMS");
    }
}

#[test]
fn unsafe_code_stands_where_the_rules_say() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let may = ["capi", "kernels", "simd", "memory", "parallel", "tensors"];
    for (room, _) in ROOMS.into_iter().filter(|(room, _)| !may.contains(room)) {
        let mut files = vec![source.join(format!("{room}.rs"))];
        if let Ok(entries) = read_dir(source.join(room)) {
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        // A chunk writes its part of the caller's arrays, and the kernels of the k×k work.
        let may = ["optimizer/chunk.rs", "optimizer/output.rs", "optimizer/precondition.rs", "spectral/tridiagonal"];
        let may = may.map(|path| source.join(path));
        for file in files.iter().filter(|file| file.exists() && !may.contains(file)) {
            assert!(!code(file).contains("unsafe "), "{}", file.display());
        }
    }
}

#[test]
fn code_that_differs_by_system_is_in_these_files() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let may = ["simd", "memory/pages.rs", "parallel/system", "parallel/float_mode.rs", "parallel/tests/mod.rs"];
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

/// Modules whose files may use their `mod.rs`, which uses them.
const WITH_PARENTS: [&str; 4] = ["capi", "optimizer", "parallel", "memory"];

/// The files under `folder` without its tests, by their path as modules: `["simd", "x86", "avx2"]`.
fn modules(folder: &Path, place: &[String], found: &mut BTreeMap<Vec<String>, PathBuf>) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let place: Vec<String> = place.iter().cloned().chain([name.clone()]).collect();
        if name == "tests" || name == "defects" {
            continue;
        } else if path.is_dir() {
            modules(&path, &place, found);
        } else if name == "mod" {
            found.insert(place[..place.len() - 1].to_vec(), path);
        } else {
            found.insert(place, path);
        }
    }
}

/// The paths that a text names, `a::{b, c::d}` as `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let len = match first {
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        words.extend(Some(&rest[..len]).filter(|word| !word.trim().is_empty()));
        rest = &rest[len..];
    }
    let (mut found, mut place) = (Vec::new(), 0);
    while place < words.len() {
        let is_visibility = place > 0 && words[place - 1] == "in";
        let before = found.len();
        path(&words, &mut place, &[], &mut found);
        found.truncate(if is_visibility { before } else { found.len() });
    }
    // A single word is the name of an item, or of a variable.
    found.retain(|path| path.len() > 1);
    found
}

/// One path of [`paths`], after a prefix.
fn path(words: &[&str], place: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    path.push(words[*place].to_owned());
    *place += 1;
    while words.get(*place) == Some(&"::") {
        *place += 1;
        match words.get(*place) {
            Some(&"{") => {
                *place += 1;
                while words.get(*place).is_some_and(|word| *word != "}") {
                    self::path(words, place, &path, found);
                    while words.get(*place).is_some_and(|word| !["}", ","].contains(word)) {
                        *place += 1;
                    }
                    *place += usize::from(words.get(*place) == Some(&","));
                }
                *place += 1;
                return;
            }
            Some(word) => path.push((*word).to_owned()),
            None => break,
        }
        *place += 1;
    }
    found.push(path);
}

/// The file that a path leads to, from the module at `place`: that of the innermost module in it.
fn leads_to<'a>(
    files: &'a BTreeMap<Vec<String>, PathBuf>,
    place: &[String],
    path: &[String],
) -> Option<&'a Vec<String>> {
    let (mut target, mut rest) = match path[0].as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" | "super" => (place.to_vec(), path),
        first => (place.iter().map(String::as_str).chain([first]).map(str::to_owned).collect(), &path[1..]),
    };
    while let Some((word, after)) = rest.split_first() {
        match word.as_str() {
            "self" => {}
            "super" => drop(target.pop()),
            word if files.contains_key(&[&target[..], &[word.to_owned()]].concat()) => target.push(word.to_owned()),
            _ => break,
        }
        rest = after;
    }
    files.get_key_value(&target).map(|(target, _)| target)
}

/// Which files of the same module each file uses.
fn uses(files: &BTreeMap<Vec<String>, PathBuf>) -> BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> {
    let of = |(place, file): (_, &PathBuf)| {
        let place: &Vec<String> = place;
        let targets = paths(&code(file)).into_iter().filter_map(|path| leads_to(files, place, &path));
        let is_parent = |target: &[String]| WITH_PARENTS.contains(&place[0].as_str()) && place.starts_with(target);
        let counts = |target: &&Vec<String>| *target != place && target.first() == place.first() && !is_parent(target);
        (place, targets.filter(counts).collect())
    };
    files.iter().map(of).collect()
}

#[test]
fn no_file_uses_one_that_leads_back_to_it() {
    let mut files = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut files);
    let uses = uses(&files);
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 100, "the uses are not seen");
    let mut circles = BTreeSet::new();
    for (file, used) in &uses {
        for first in used {
            let (mut seen, mut left) = (BTreeSet::new(), vec![*first]);
            while let Some(next) = left.pop() {
                if seen.insert(next) {
                    left.extend(&uses[next]);
                }
            }
            if seen.contains(file) {
                circles.insert((file.join("/"), first.join("/")));
            }
        }
    }
    assert!(circles.is_empty(), "circles: {circles:?}");
}

#[test]
fn a_path_is_seen_however_it_is_written() {
    let text = "use super::{a::B, c::{d::E, f}};\nfn g() { h::i() }\n$crate::j::k!(); impl l::M for N {}";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    for path in ["super::a::B", "super::c::d::E", "super::c::f", "h::i", "crate::j::k", "l::M"] {
        assert!(found.iter().any(|found| found == path), "{path} of {found:?}");
    }
    let file = |path: &str| (path.split('/').map(str::to_owned).collect::<Vec<_>>(), PathBuf::new());
    let files = BTreeMap::from(["a", "a/b", "a/c", "a/c/d"].map(file));
    let leads = |from: &str, path: &[&str]| {
        let path: Vec<String> = path.iter().map(|word| (*word).to_owned()).collect();
        leads_to(&files, &file(from).0, &path).map(|target| target.join("/"))
    };
    assert_eq!(leads("a/b", &["super", "c", "d", "X"]).as_deref(), Some("a/c/d"));
    assert_eq!(leads("a/b", &["super", "X"]).as_deref(), Some("a"));
    assert_eq!(leads("a/c", &["d", "X"]).as_deref(), Some("a/c/d"));
    assert_eq!(leads("a/c/d", &["crate", "a", "b", "X"]).as_deref(), Some("a/b"));
    assert_eq!(leads("a/b", &["std", "c", "X"]), None);
}
