//! The house rules that a compiler does not hold: directions of dependency, purity, names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a function is made of, and the hosts of its binaries.
const FUNCTION: [&str; 6] = [
    "ossferry-core",
    "ossferry-ends",
    "ossferry-fc",
    "ossferry-host",
    "ossferry-lambda",
    "ossferry-ledger",
];

/// Who may depend on whom. Arrows point one way: functions → ledger → core, functions → adapters → core.
const MAY_DEPEND: [(&str, &[&str]); 22] = [
    ("shared/core", &[]),
    ("shared/ledger", &["ossferry-core"]),
    ("shared/http", &["ossferry-core"]),
    ("shared/aliyun", &["ossferry-core", "ossferry-http"]),
    ("shared/aws", &["ossferry-core", "ossferry-http"]),
    ("shared/local", &["ossferry-core"]),
    ("shared/azure", &["ossferry-core", "ossferry-http"]),
    ("shared/gcs", &["ossferry-core", "ossferry-http"]),
    ("shared/lists", &["ossferry-core", "ossferry-http"]),
    ("shared/upyun", &["ossferry-core", "ossferry-http"]),
    ("shared/conformance", &["ossferry-core"]),
    (
        "shared/ends",
        &[
            "ossferry-aliyun",
            "ossferry-aws",
            "ossferry-azure",
            "ossferry-core",
            "ossferry-gcs",
            "ossferry-http",
            "ossferry-local",
            "ossferry-lists",
            "ossferry-upyun",
        ],
    ),
    ("shared/host", &["ossferry-core", "ossferry-ends", "ossferry-ledger"]),
    (
        "shared/lambda",
        &["ossferry-aws", "ossferry-core", "ossferry-ends", "ossferry-host", "ossferry-ledger"],
    ),
    (
        "shared/fc",
        &[
            "ossferry-aliyun",
            "ossferry-aws",
            "ossferry-core",
            "ossferry-ends",
            "ossferry-host",
            "ossferry-http",
            "ossferry-ledger",
        ],
    ),
    ("functions/planner", &FUNCTION),
    ("functions/copier", &FUNCTION),
    ("tests/emulator", &["ossferry-aliyun", "ossferry-aws", "ossferry-core", "ossferry-http"]),
    (
        "tests/smq-tablestore-emulator",
        &["oss-emulator", "ossferry-aliyun", "ossferry-core", "ossferry-http"],
    ),
    ("functions/ossferry", &["*"]),
    ("tests", &["*"]),
    ("tests/benchmark", &["*"]),
];

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Rust sources below a folder of the repository.
pub(crate) fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no source");
    found
}

/// Code lines: without comments, and without a test module at the end of the file.
pub(crate) fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") && !path.ends_with("main.rs")
        || path.ends_with("tests.rs")
}

#[test]
fn dependencies_point_one_way() {
    for (folder, allowed) in MAY_DEPEND {
        if allowed == ["*"] {
            continue;
        }
        for dependency in dependencies(folder) {
            let ours = dependency.starts_with("ossferry") || dependency.ends_with("-emulator");
            assert!(
                !ours || allowed.contains(&dependency.as_str()),
                "{folder} depends on {dependency}"
            );
        }
    }
    let members = manifest(".")["workspace"]["members"].as_array().unwrap().len();
    assert_eq!(members, MAY_DEPEND.len(), "every member stands in the table");
}

#[test]
fn core_and_ledger_know_no_cloud_and_no_http() {
    for folder in ["shared/core", "shared/ledger"] {
        for dependency in dependencies(folder) {
            for foreign in ["aws", "hyper", "http", "reqwest", "rusqlite", "rustls", "lambda"] {
                assert!(!dependency.contains(foreign), "{folder} depends on {dependency}");
            }
        }
    }
    assert!(!dependencies("shared/core").contains("tokio"), "core is pure");
}

#[test]
fn only_binaries_read_the_clock_and_the_environment() {
    let emulators = ["tests/emulator/src", "tests/smq-tablestore-emulator/src"];
    let folders = ["shared", "functions/planner", "functions/copier"].into_iter().chain(emulators);
    for (path, text) in folders.flat_map(sources) {
        let in_bin = path.components().any(|part| part.as_os_str() == "bin");
        if in_bin || path.ends_with("main.rs") || is_test(&path) {
            continue;
        }
        for line in code(&text) {
            let clock = line.contains("SystemTime::now")
                || line.contains("Instant::now") && !line.contains("tokio::time::Instant::now");
            let environment = line.contains("env::var") || line.contains("env::args");
            assert!(!clock && !environment, "{}: {line}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_unfinished_and_no_file_is_a_drawer() {
    for (path, text) in ["shared", "functions", "tests"].into_iter().flat_map(sources) {
        let shown = path.display();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["utils", "util", "helpers", "common", "misc", "methods"].contains(&name),
            "{shown} is named for nothing that a reader would search"
        );
        assert!(text.lines().count() <= 700, "{shown} wants to be two");
        if path.ends_with("tidy.rs") {
            continue;
        }
        for unfinished in ["todo!(", "unimplemented!(", "#[ignore", "assert!(true)", "dbg!("] {
            // Another process's part in a test is a test of the same binary that only it starts.
            let is_role = |line: &&str| line.contains("#[ignore = \"a process that another test");
            let found =
                text.lines().filter(|line| !is_role(line)).find(|line| line.contains(unfinished));
            assert!(found.is_none(), "{shown} holds {unfinished}");
        }
    }
}

#[test]
fn an_adapter_of_a_port_stands_in_a_file_of_its_name() {
    for (folder, ports) in [
        ("shared/aws", &["source"][..]),
        ("shared/aliyun", &["queue", "source", "table", "target"]),
        ("shared/local", &["queue", "table"]),
        ("shared/azure", &["source"]),
        ("shared/gcs", &["source"]),
        ("shared/lists", &["source"]),
        ("shared/upyun", &["source"]),
    ] {
        for port in ports {
            let path = root().join(folder).join("src").join(format!("{port}.rs"));
            let text = std::fs::read_to_string(&path).unwrap();
            let port = format!("{}{}", port[..1].to_uppercase(), &port[1..]);
            assert!(text.contains(&format!("impl {port} for")), "{}", path.display());
        }
    }
}

#[test]
fn no_tracked_file_holds_a_path_of_a_machine() {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let files = String::from_utf8(listed.stdout).unwrap();
    for file in files.split_terminator('\0') {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        for path in ["/root/", "/home/", "/Users/"] {
            let found = text.lines().find(|line| line.contains(path));
            let is_this = file.ends_with("tidy.rs");
            assert!(found.is_none() || is_this, "{file}: {}", found.unwrap_or_default());
        }
    }
}
