//! The architecture and the house style, held as data: which module may use which, what each layer must not touch,
//! how long a file may be. Every rule is tried on a source that breaks it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every module at the top of the library, and what it may use. Imports point down only. The command uses the
/// library's public API, which the compiler sees to.
const ARROWS: &[(&str, &[&str])] = &[
    ("pipe", &["spool", "archive", "ring", "segment", "codec", "store", "format", "sys", "sync"]),
    ("archive", &["ring", "segment", "codec", "store", "format", "sys", "sync"]),
    ("spool", &["ring", "segment", "codec", "store", "format", "sys", "sync"]),
    ("copy", &["sys"]),
    ("ring", &["segment", "codec", "store", "format", "sys", "sync", "units"]),
    ("segment", &["codec", "store", "format"]),
    ("codec", &["format"]),
    ("store", &["format", "sys", "sync"]),
    ("format", &[]),
    ("sync", &[]),
    ("sys", &[]),
    ("units", &[]),
];

/// Where unsafe code may be. What the command must do before `main`, or in a child before it becomes another program, is
/// no business of a library, nor is counting what a test allocates.
const UNSAFE: [&str; 7] = [
    "src/sys",
    "src/sys.rs",
    "src/cli/closed.rs",
    "src/cli/each/groups.rs",
    "tests/allocations.rs",
    "tests/archive_memory.rs",
    "tests/checks/memory.rs",
];

/// Layers that are pure, and what they must not name.
const PURE: [&str; 2] = ["format", "codec"];
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::io",
    "std::thread",
    "std::net",
    "std::process",
    "std::env",
    "std::os",
    "Instant",
    "SystemTime",
    "rustix",
];

const FILE_LINES_MAX: usize = 600;
/// Marks of unfinished work; in two halves, so that they do not stand here.
const MARKERS: [(&str, &str); 6] =
    [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("dbg", "!("), ("todo", "!("), ("unimplemented", "!(")];
const TEXT_EXTENSIONS: [&str; 5] = ["rs", "md", "toml", "sh", "yml"];
const TEXT_PLACES: [&str; 7] = ["src", "tests", "benches", "examples", "docs", "fuzz", "."];
const SKIPPED_DIRECTORIES: [&str; 3] = ["target", "corpus", "artifacts"];

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeSet::new();
    for place in TEXT_PLACES {
        collect(&root.join(place), place != ".", &mut files);
    }
    assert!(files.len() > 20, "the files were found");
    let mut found = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        found.extend(faults(file.strip_prefix(root).unwrap(), &text, &command_modules(root)));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The modules of the command, which are declared in main.rs and not in the library.
fn command_modules(root: &Path) -> Vec<String> {
    let main = std::fs::read_to_string(root.join("src/main.rs")).unwrap_or_default();
    main.lines().filter_map(|line| line.trim().strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)).collect()
}

fn collect(place: &Path, deep: bool, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(place).into_iter().flatten() {
        let path = entry.expect("a readable directory").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if deep && !SKIPPED_DIRECTORIES.contains(&name) {
                collect(&path, true, files);
            }
        } else if path.extension().is_some_and(|e| TEXT_EXTENSIONS.iter().any(|text| *text == e)) {
            files.insert(path);
        }
    }
}

/// What is wrong with a file of this path, relative to the root, and text.
fn faults(path: &Path, text: &str, command: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_end() != line {
            found.push(format!("{}:{}: trailing whitespace", path.display(), i + 1));
        }
        for (a, b) in MARKERS {
            if word_at(line, &format!("{a}{b}")) {
                found.push(format!("{}:{}: leftover {a}{b}", path.display(), i + 1));
            }
        }
    }
    if path.extension().is_none_or(|e| e != "rs") {
        return found;
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(format!("{}: {lines} lines, over {FILE_LINES_MAX}", path.display()));
    }
    let mut fault = |code: &str, what: String| {
        let line = code.lines().count().max(1);
        found.push(format!("{}:{line}: {what}", path.display()));
    };
    let code = code_only(text);
    let module = module_of(path);
    if !UNSAFE.iter().any(|place| path.starts_with(place)) {
        for at in words(&code, "unsafe") {
            fault(&code[..=at], "unsafe outside src/sys".to_owned());
        }
    }
    let Some(module) = module else { return found };
    if PURE.contains(&module.as_str()) {
        let grouped = words(&code, "std").into_iter().filter_map(|at| {
            let group = code[at..].strip_prefix("std::").filter(|rest| rest.starts_with('{'))?;
            Some(heads(group).into_iter().map(move |name| (at, format!("std::{name}"))))
        });
        for (at, used) in grouped.flatten().filter(|(_, used)| IMPURE.contains(&used.as_str())) {
            fault(&code[..=at], format!("{used} in {module}, which is pure"));
        }
        for what in IMPURE {
            for at in words(&code, what) {
                fault(&code[..=at], format!("{what} in {module}, which is pure"));
            }
        }
    }
    if module == "lib" || command.contains(&module) || module == "main" {
        return found;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
        found.push(format!("{}: module {module} has no place in the layers", path.display()));
        return found;
    };
    for (at, used) in uses(&code, path.file_name().is_some_and(|name| name == "mod.rs")) {
        if used != module && !allowed.contains(&used.as_str()) {
            fault(&code[..=at], format!("{module} must not use {used}"));
        }
    }
    found
}

/// The module at the top of the crate that a source file belongs to; `None` outside src.
fn module_of(path: &Path) -> Option<String> {
    let first = path.strip_prefix("src").ok()?.components().next()?;
    Some(Path::new(&first).file_stem()?.to_str()?.to_owned())
}

/// The top-level modules that code names by `crate::x`, `crate::{x, y::z}` or through `super`, and where.
fn uses(code: &str, is_mod_rs: bool) -> Vec<(usize, String)> {
    let is_module = |name: &str| ARROWS.iter().any(|(module, _)| *module == name);
    let mut found = Vec::new();
    for at in words(code, "crate") {
        let Some(rest) = code[at + "crate".len()..].trim_start().strip_prefix("::") else { continue };
        // `$crate::`, `pub(crate)` and a dependency's `x::crate` do not matter: all that follows `crate::` counts.
        found.extend(heads(rest.trim_start()).into_iter().map(|name| (at, name)));
    }
    for at in words(code, "super") {
        let mut rest = code[at..].trim_start_matches("super");
        let mut levels = 1;
        while let Some(next) = rest.strip_prefix("::super") {
            (rest, levels) = (next, levels + 1);
        }
        let Some(rest) = rest.strip_prefix("::") else { continue };
        if levels > 1 || is_mod_rs {
            found.extend(heads(rest).into_iter().filter(|name| is_module(name)).map(|name| (at, name)));
        }
    }
    found
}

/// The first names of a path, or of each path in braces.
fn heads(path: &str) -> Vec<String> {
    let name = |s: &str| s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut out) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                out.push(name(&group[start..i]));
                start = i + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    out.retain(|name| !name.is_empty());
    out
}

fn word_at(text: &str, word: &str) -> bool {
    !words(text, word).is_empty()
}

/// Where `word` stands as a word of its own.
fn words(text: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let inside = |at: usize| {
        let after = text[at + word.len()..].chars().next();
        text[..at].chars().next_back().is_some_and(part) || (word.ends_with(part) && after.is_some_and(part))
    };
    text.match_indices(word).map(|(at, _)| at).filter(|at| !inside(*at)).collect()
}

/// The source with comments and the contents of literals blanked out; line ends stay.
fn code_only(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| bytes.get(at + i) == Some(&c));
    let mut at = 0;
    while at < bytes.len() {
        let end = if starts(at, "//") {
            (at..bytes.len()).find(|&i| bytes[i] == '\n').unwrap_or(bytes.len())
        } else if starts(at, "/*") {
            (at + 2..bytes.len()).find(|&i| starts(i, "*/")).map_or(bytes.len(), |i| i + 2)
        } else if bytes[at] == 'r' && (starts(at, "r\"") || starts(at, "r#")) && raw_string_end(&bytes, at).is_some() {
            raw_string_end(&bytes, at).unwrap_or(bytes.len())
        } else if bytes[at] == '"' {
            literal_end(&bytes, at, '"')
        } else if bytes[at] == '\'' && (bytes.get(at + 1) == Some(&'\\') || bytes.get(at + 2) == Some(&'\'')) {
            literal_end(&bytes, at, '\'')
        } else {
            out.push(bytes[at]);
            at += 1;
            continue;
        };
        out.extend(bytes[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

fn literal_end(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Where a raw string that starts here ends; `None` when it is none (`r#type`).
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |i: &usize| chars[*i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |i| i + 1 + hashes))
}

#[test]
fn tidy_sees_what_it_is_for() {
    let command = vec!["args".to_owned()];
    let check = |path: &str, text: &str| faults(Path::new(path), text, &command);
    let rejected = [
        ("src/format/a.rs", "use crate::codec::Codec;", "format must not use codec"),
        ("src/format/mod.rs", "use super::codec::Codec;", "format must not use codec"),
        ("src/format/a.rs", "fn f() { super::super::segment::g() }", "format must not use segment"),
        ("src/codec/a.rs", "use crate::{format::{A, B}, store::Store};", "codec must not use store"),
        (
            "src/segment/a.rs",
            "fn f() {\n    let x = crate::ring::X;\n}",
            "src/segment/a.rs:2: segment must not use ring",
        ),
        ("src/store/disk.rs", "pub use crate::segment::X;", "store must not use segment"),
        ("src/ring.rs", "use crate::pipe;", "ring must not use pipe"),
        ("src/sys/a.rs", "use crate::format::X;", "sys must not use format"),
        ("src/spool/a.rs", "use crate::archive::X;", "spool must not use archive"),
        ("src/pipe/a.rs", "use crate::args::X;", "pipe must not use args"),
        ("src/misc/a.rs", "", "module misc has no place in the layers"),
        ("src/format/a.rs", "use std::fs::File;", "std::fs in format, which is pure"),
        ("src/format/a.rs", "use std::{fmt, thread::{self, Thread}};", "std::thread in format, which is pure"),
        ("src/codec/a.rs", "fn f() -> std::io::Result<()> {}", "std::io in codec, which is pure"),
        ("src/codec/a.rs", "let t = Instant::now();", "Instant in codec, which is pure"),
        ("src/pipe/a.rs", "\nfn f() { unsafe { g() } }", "src/pipe/a.rs:2: unsafe outside src/sys"),
        ("tests/a.rs", "unsafe fn f() {}", "unsafe outside src/sys"),
        ("docs/a.md", "text \n", "docs/a.md:1: trailing whitespace"),
        ("src/pipe/a.rs", &format!("// {}{} later", "TO", "DO"), "leftover"),
        ("benches/a.rs", &format!("{}{}x)", "dbg", "!("), "leftover"),
        ("src/pipe/a.rs", &"\n".repeat(601), "601 lines, over 600"),
    ];
    for (path, text, expected) in rejected {
        let found = check(path, text);
        assert!(found.len() == 1 && found[0].contains(expected), "{path}: {text:?} gave {found:?}");
    }
    let accepted = [
        ("src/format/a.rs", "use super::{Family, frame};\nuse crate::format::X;\n// crate::codec, unsafe, std::fs"),
        ("src/format/a.rs", "/* crate::codec */ const S: &str = \"crate::codec \\\" unsafe\"; /// [`crate::codec`]"),
        ("src/format/a.rs", "const S: &str = r#\"a \" crate::codec\"#; const C: char = '\"'; fn f<'a>(x: &'a u8) {}"),
        ("src/segment/mod.rs", "use crate::codec::X; use crate::format; mod a; mod tests { use super::*; }"),
        ("src/pipe/a.rs", "use crate::{segment, codec::{A, B}}; pub(crate) fn f() {} struct Instantly;"),
        ("src/sys/mod.rs", "fn f() { unsafe { g() } }"),
        ("src/codec/a.rs", "#![forbid(unsafe_code)] enum E { InstantX }"),
        ("src/main.rs", "use crate::args::Args; mod args;"),
        ("src/args.rs", "use crate::args::X; use spillpipe::pipe::Pipe;"),
        ("src/lib.rs", "pub mod pipe;"),
    ];
    for (path, text) in accepted {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }
}

#[test]
fn the_arrows_point_down() {
    for (i, (name, allowed)) in ARROWS.iter().enumerate() {
        for used in *allowed {
            let place = ARROWS.iter().position(|(module, _)| module == used);
            assert!(place.is_some_and(|place| place > i), "{name} -> {used}");
        }
    }
}
