//! src/config.rs is the only list of the options. Other lists, in other languages or independent on purpose, are
//! compared with it here: they need the same options in the same order, with the types, defaults and ranges that they
//! state. Lists between two marker lines are generated: `make option-lists` (`LMADA_WRITE_LISTS=1 cargo test --test
//! option_lists`) writes them.

use std::fs::{read_to_string, write};
use std::path::Path;

/// An option of src/config.rs.
#[derive(Debug)]
struct Opt {
    name: String,
    kind: String,
    default: String,
    /// The range, in the words of `validate`'s message; empty if every value is valid.
    range: String,
}

impl Opt {
    fn is_enum(&self) -> bool {
        !["f64", "u32", "bool"].contains(&self.kind.as_str())
    }

    /// Returns the option's type in another language, from the names of `f64`, `u32`, `bool` and enums there.
    fn typed<'a>(&self, [float, count, boolean, choice]: [&'a str; 4]) -> &'a str {
        match self.kind.as_str() {
            "f64" => float,
            "u32" => count,
            "bool" => boolean,
            _ => choice,
        }
    }

    /// The name in Go.
    fn in_go(&self) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        if self.name == "lr" { "LR".into() } else { self.name.split('_').map(capital).collect() }
    }

    /// The type in Go.
    fn go_type(&self) -> &str {
        match self.kind.as_str() {
            "Momentum" => "MomentumKind",
            "Clip" => "ClipKind",
            choice => self.typed(["float64", "int", "bool", choice]),
        }
    }

    /// The type in ctypes.
    fn ctypes_type(&self) -> &str {
        self.typed(["F64", "U32", "ctypes.c_bool", "I32"])
    }

    /// The type of the keyword in Python.
    fn python_type(&self) -> &str {
        self.typed(["float", "int", "bool", self.go_type()])
    }

    /// Whether a text states this option's default: a number, a boolean, or a name that ends with the variant.
    fn has_default(&self, text: &str) -> bool {
        if self.is_enum() {
            let plain = |name: &str| name.replace('_', "").to_lowercase();
            let variant = self.default.rsplit("::").next().unwrap();
            return plain(text).ends_with(&plain(variant));
        }
        let number = |text: &str| if text == "1/2" { Ok(0.5) } else { text.parse::<f64>() };
        match (number(text), number(&self.default)) {
            (Ok(a), Ok(b)) => a == b,
            _ => text == self.default,
        }
    }

    /// The range as a table writes it.
    fn short_range(&self) -> &str {
        match self.range.as_str() {
            "a finite number >= 0" => "≥ 0",
            "a finite number > 0" => "> 0",
            other => other.strip_prefix("a number in ").unwrap_or(other),
        }
    }
}

fn read(path: &str) -> String {
    read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the text between two texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("{start:?} is not there")) + start.len();
    let len = text[from..].find(end).unwrap_or_else(|| panic!("{end:?} is not behind {start:?}"));
    &text[from..from + len]
}

/// The list in src/config.rs.
fn options() -> Vec<Opt> {
    let source = read("src/config.rs");
    let list = between(&source, "    pub struct Config {\n        /// Element", "\n    }\n}");
    let checks = between(&source, "let checks = [", "\n        ];");
    let mut found = Vec::new();
    for line in list.lines().map(str::trim).filter(|line| line.starts_with("pub ")) {
        let (name, rest) = line["pub ".len()..].split_once(" (with_").unwrap_or_else(|| panic!("{line}"));
        let (with, rest) = rest.split_once("): ").unwrap_or_else(|| panic!("{line}"));
        assert_eq!(with, name, "the method of an option is named after it");
        let (kind, default) = rest.trim_end_matches(',').split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        // The check of an option ends with its range.
        let quoted = format!("\"config.{name}\",");
        let range = checks.split(&quoted).nth(1).map(|rest| between(rest, "\"", "\"").to_string());
        assert!(kind != "f64" || range.is_some(), "the range of {name} is not in the list of checks");
        found.push(Opt {
            name: name.into(),
            kind: kind.into(),
            default: default.into(),
            range: range.unwrap_or_default(),
        });
    }
    assert!(found.len() >= 27 && found[0].name == "dtype", "the list in src/config.rs was not found: {found:?}");
    found
}

/// Compares a list with that of src/config.rs, from an option on. Names the option at fault.
fn compare(what: &str, list: &[String], options: &[Opt]) {
    for Opt { name, .. } in options {
        assert!(list.contains(name), "{what} lacks {name}");
    }
    for name in list {
        assert!(options.iter().any(|option| option.name == *name), "{what} has {name}, which src/config.rs lacks");
    }
    let wanted: Vec<&String> = options.iter().map(|option| &option.name).collect();
    assert_eq!(list.iter().collect::<Vec<_>>(), wanted, "{what} has the options in another order, or twice");
}

/// Returns the names in lines that start and continue with the given texts.
fn names(text: &str, start: &str, end: &str) -> Vec<String> {
    let name = |line: &str| Some(line.trim_start().strip_prefix(start)?.split_once(end)?.0.to_string());
    text.lines().filter_map(name).filter(|name| name != "struct_size").collect()
}

#[test]
fn lists_in_rust_and_c_have_every_option() {
    let options = options();
    let config = read("src/capi/config.rs");
    let to_c = between(&config, "fn config_to_c(", "\n    c\n}");
    compare("config_to_c in src/capi/config.rs", &names(to_c, "c.", " = "), &options);
    let from_c = between(&config, "Ok(Config {", "\n    })");
    compare("from_c in src/capi/config.rs", &names(from_c, "", ": field!("), &options);
    let fuzz = read("fuzz/src/config.rs");
    let fields = between(&fuzz, "const FIELDS: &[Field] = fields! {", "};");
    compare("FIELDS in fuzz/src/config.rs", &names(fields, "", ": "), &options);
    let fields = read("tests/c/config_fields.h");
    compare("tests/c/config_fields.h", &names(&fields, "{FIELD(", ")"), &options);
    for option in &options {
        let kind = option.typed(["KIND_F64", "KIND_U32", "KIND_BOOL", "KIND_I32"]);
        let line = format!("{{FIELD({}), {kind},", option.name);
        assert!(fields.contains(&line), "tests/c/config_fields.h: {} is not of {kind}", option.name);
    }
}

#[test]
fn the_c_struct_states_defaults_and_ranges() {
    let options = options();
    let types = read("src/capi/types.rs");
    let fields = between(&types, "pub struct lmada_config_t {", "\n}");
    compare("lmada_config_t in src/capi/types.rs", &names(fields, "pub ", ": "), &options);
    let mut rest = fields;
    for option in &options {
        let end = format!("    pub {}: ", option.name);
        let (comment, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{} is out of order", option.name));
        let comment = comment.rsplit("    pub ").next().unwrap().replace("\n    /// ", " ");
        rest = after;
        states(&format!("src/capi/types.rs: {}", option.name), &comment, option);
        let range = option.short_range().replace('≥', ">=");
        assert!(comment.contains(&range), "src/capi/types.rs: {} does not say {range:?}", option.name);
    }
}

/// Checks that a text states at least one default, and that each is the option's.
fn states(what: &str, text: &str, option: &Opt) {
    let lower = text.replace("Default", "default");
    let mut stated = 0;
    for after in lower.split("default ").skip(1).filter(|after| !after.starts_with("power")) {
        let word = after.split([' ', ',', ';', ':', '\n', ')']).next().unwrap().trim_end_matches('.');
        assert!(option.has_default(word.trim_matches('`')), "{what}: the default is {}, not {word}", option.default);
        stated += 1;
    }
    assert!(stated > 0, "{what}: the default is not stated");
}

#[test]
fn readme_has_every_option_with_default_and_range() {
    let options = options();
    let page = read("docs/options.md");
    let table = between(&page, "| field | default | range | meaning |\n| --- | --- | --- | --- |\n", "\n\n");
    compare("the table of docs/options.md", &names(table, "| `", "` |"), &options);
    for (option, row) in options.iter().zip(table.lines()) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(
            option.has_default(cells[2].trim_matches('`')),
            "docs/options.md: the default of {}: {row}",
            option.name
        );
        assert!(cells[3].starts_with(option.short_range()), "docs/options.md: the range of {}: {row}", option.name);
    }
}

#[test]
fn bindings_have_every_option() {
    let options = options();
    // In Go the type of the optimizer gives the element type; in Julia its field is not a keyword.
    let go = read("bindings/go/options.go");
    for option in &options[1..] {
        let function = format!("\nfunc With{}(", option.in_go());
        let (before, _) = go.split_once(&function).unwrap_or_else(|| {
            panic!("bindings/go/options.go lacks With{}", option.in_go());
        });
        let comment = before.rsplit("\n\n").next().unwrap().replace("\n// ", " ");
        states(&format!("bindings/go/options.go: With{}", option.in_go()), &comment, option);
        let range = option.short_range().replace('≥', ">=");
        let range = if option.name == "diagonal_eps" { "above 0" } else { &range };
        assert!(comment.contains(range), "bindings/go/options.go: With{} does not say {range:?}", option.in_go());
    }
    let wanted: Vec<String> = options[1..].iter().map(Opt::in_go).collect();
    let withs: Vec<String> = names(&go, "func With", "(").into_iter().filter(|name| name != "Recommended").collect();
    assert_eq!(withs, wanted, "bindings/go/options.go has the options in another order, or one too many");

    let julia = read("bindings/julia/src/config.jl");
    let fields = between(&julia, "struct Config\n", "\nend");
    compare("bindings/julia/src/config.jl", &names(fields, "", "::"), &options);
    for option in &options {
        let line = format!("{}::{}", option.name, option.typed(["Float64", "UInt32", "Bool", "Int32"]));
        assert!(fields.lines().any(|field| field.trim() == line), "bindings/julia/src/config.jl lacks {line}");
    }

    // In Python the element type is a separate argument; fields and keywords are generated.
    let python = read("bindings/python/lmada/_optimizer.py");
    let documented = between(&python, "    Options. ", "\n    \"\"\"");
    let wanted: Vec<String> = options[1..].iter().map(|option| option.name.clone()).collect();
    let lines: Vec<String> = names(documented, "- `", "` = ");
    for (option, name) in options[1..].iter().zip(&lines) {
        assert_eq!(&option.name, name, "bindings/python/lmada/_optimizer.py has the options in another order");
        let start = format!("    - `{name}` = ");
        let text = documented.split(&start).nth(1).unwrap().split("\n    - ").next().unwrap().replace("\n      ", " ");
        let default = text.split([':', ' ']).next().unwrap().trim_matches('"').to_lowercase();
        assert!(option.has_default(&default), "bindings/python/lmada/_optimizer.py: the default of {name}");
        let range = option.short_range().replace('≥', ">=");
        assert!(text.contains(&range), "bindings/python/lmada/_optimizer.py: {name} does not say {range:?}");
    }
    assert_eq!(lines, wanted, "bindings/python/lmada/_optimizer.py has not these options");
}

/// A generated list: the file, and the lines.
type Generated = (&'static str, String);

fn generated(options: &[Opt]) -> Vec<Generated> {
    let lines = |line: &dyn Fn(&Opt) -> String, options: &[Opt]| options.iter().map(line).collect::<String>();
    let width = options[1..].iter().map(|option| option.in_go().len()).max().unwrap();
    let torch = "bindings/cpp/lmada/torch_options.hpp";
    vec![
        (torch, lines(&|Opt { name, .. }| format!("    visit(\"{name}\", &lmada_config_t::{name});\n"), &options[1..])),
        (torch, lines(&|option| format!("    LMADA_TORCH_ARG({})\n", option.name), &options[1..])),
        ("tests/layouts.rs", lines(&|option| format!("            {},\n", option.name), options)),
        (
            "fuzz/src/options.rs",
            lines(
                &|Opt { name, kind, .. }| match kind.as_str() {
                    "bool" => format!("    c.{name} = CBool(config.{name}.into());\n"),
                    "f64" | "u32" => format!("    c.{name} = config.{name};\n"),
                    _ => format!("    c.{name} = config.{name} as i32;\n"),
                },
                options,
            ),
        ),
        (
            "bindings/go/config.go",
            lines(&|option| format!("\t{:width$} {}\n", option.in_go(), option.go_type()), &options[1..]),
        ),
        (
            "bindings/go/config.go",
            lines(
                &|option| {
                    let key = option.in_go() + ":";
                    format!("\t\t{key:0$} {1}(c.{2}),\n", width + 1, option.go_type(), option.name)
                },
                &options[1..],
            ),
        ),
        (
            "bindings/python/lmada/_options.py",
            lines(&|option| format!("        (\"{}\", {}),\n", option.name, option.ctypes_type()), options),
        ),
        (
            "bindings/python/lmada/_options.py",
            lines(&|option| format!("    {}: {}\n", option.name, option.python_type()), &options[1..]),
        ),
    ]
}

#[test]
fn generated_lists_are_current() {
    // The marker is a comment of the file's language.
    const START: &str = " options: generated from src/config.rs by `make option-lists`\n";
    const END: &str = " options: end\n";
    let writes = std::env::var_os("LMADA_WRITE_LISTS").is_some();
    let lists = generated(&options());
    for (index, (path, list)) in lists.iter().enumerate() {
        let text = read(path);
        let earlier = lists[..index].iter().filter(|(other, _)| other == path).count();
        let start = text.match_indices(START).nth(earlier).unwrap_or_else(|| panic!("{path} has lost its list")).0;
        let from = start + START.len();
        // The line that ends the list is indented.
        let end = from + text[from..].find(END).unwrap_or_else(|| panic!("the list in {path} does not end"));
        let end = text[..end].rfind('\n').unwrap() + 1;
        let current = text[from..end] == **list;
        if writes && !current {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            write(path, format!("{}{list}{}", &text[..from], &text[end..])).unwrap();
        } else {
            assert!(current, "the options in {path} are not those of src/config.rs: run `make option-lists`");
        }
    }
}

/// A new kind of momentum or clip, or a new format, has to be known to the C interface, to the fuzz targets and to the
/// tests of every kind. (The compiler finds the places in src; enums of the crate cannot be matched without a wildcard
/// outside of it.)
#[test]
fn every_variant_is_in_every_list() {
    let variants = read("src/config/kinds.rs");
    let variants = between(&variants, "variants! {\n    Dtype", "\n}");
    for (name, field, c_type) in [
        ("HistoryFormat", "history_format", "lmada_history_format_t"),
        ("Momentum", "momentum_kind", "lmada_momentum_t"),
        ("Clip", "clip_kind", "lmada_clip_t"),
    ] {
        let all: Vec<&str> = between(variants, &format!("    {name}: "), ";").split(' ').collect();
        for path in ["fuzz/src/options.rs", "tests/common/mod.rs", "tests/settings/mod.rs"] {
            let text = read(path);
            let is_known = |variant: &&str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *variant);
            // Full is the default format.
            let missing: Vec<_> = all.iter().filter(|v| **v != "Full" && **v != "None" && !is_known(v)).collect();
            assert!(
                missing.is_empty() || (path, name) == ("tests/settings/mod.rs", "HistoryFormat"),
                "{path}: {missing:?}"
            );
        }
        let constants = read("src/capi/types.rs").matches(&format!(": {c_type} =")).count();
        assert_eq!(constants, all.len(), "constants of {c_type}");
        let fuzzed = format!("{field}: Range::Enum({})", all.len());
        assert!(read("fuzz/src/config.rs").contains(&fuzzed), "fuzz/src/config.rs lacks {fuzzed}");
    }
}
