//! Holds `defects.toml`, which names for every defect of a peer the tests that show it is none
//! here, against the tests.

use std::collections::BTreeSet;

use ossferry_tests::fixtures::root;

/// The list.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    defect: Vec<Defect>,
}

/// One defect.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Defect {
    /// Whose it is, and what goes wrong there.
    peers: String,
    /// The file from the repository's root, a colon and a space, and the test.
    tests: Vec<String>,
}

fn index() -> Vec<Defect> {
    toml::from_str::<Index>(include_str!("defects.toml")).expect("the list is read").defect
}

#[test]
fn every_defect_names_tests_that_are_there() {
    let defects = index();
    assert!(defects.len() > 40, "{} defects are read", defects.len());
    for Defect { peers, tests } in defects {
        assert!(!tests.is_empty(), "{peers}");
        for test in tests {
            let (file, name) = test.split_once(": ").expect("a file and a test");
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(text.contains(&format!("fn {name}(")), "{peers}: {file} holds no {name}");
        }
    }
}

#[test]
fn every_test_of_the_peers_stands_for_a_defect() {
    let named: BTreeSet<String> = index().into_iter().flat_map(|defect| defect.tests).collect();
    for entry in std::fs::read_dir(root().join("tests/it/peers")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for test in text.split("\n#[tokio::test(").skip(1) {
            let name = test.split_once("async fn ").unwrap().1.split_once('(').unwrap().0;
            let name = format!("tests/it/peers/{file}: {name}");
            assert!(named.contains(&name), "{name} is not in the list");
        }
    }
}
