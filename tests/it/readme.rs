//! Every command of README, run.

use std::path::Path;
use std::process::Command;

use ossferry_tests::clock;
use ossferry_tests::command::{JobFile, Ossferry};
use ossferry_tests::fixtures::root;
use ossferry_tests::oss::Oss;

/// The lines of README's shell blocks, without their comments.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let bare = lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    bare.filter(|line| !line.is_empty()).collect()
}

fn is_executable(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|file| std::os::unix::fs::MetadataExt::mode(&file));
    mode.is_ok_and(|mode| mode & 0o111 != 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_readme_does_what_it_says() {
    let oss = Oss::start(clock::system()).await;
    let photos = tempfile::tempdir().unwrap();
    for number in 0..5 {
        std::fs::write(photos.path().join(format!("{number}.jpg")), vec![number; 1_000]).unwrap();
    }
    let job = JobFile::from_folder(photos.path(), &oss);
    let ossferry = Ossferry::new(&job);
    std::fs::remove_file(ossferry.folder().join("job.toml")).unwrap();
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            // What is built by it in the profile of the command is built here in that of the tests.
            ["cargo", "run", "--profile", "command", "--locked", "--", "demo", folder] => {
                let folder = root().join(folder);
                let demo = ossferry.run(&["demo", folder.to_str().unwrap()]).await.expect(0);
                assert!(demo.stdout.contains("copied"), "{}", demo.stdout);
            }
            ["cargo", "build", "--profile", "command", "--locked"] => assert_builds_the_command(),
            ["tests/run"] => {
                assert!(is_executable(&root().join("tests/run")));
                let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
                assert_eq!(ci.trim_end().lines().last(), Some("tests/run"), "what CI ends with");
            }
            // The second tier takes hours: that its scripts can be run is all that is shown here.
            ["tests/long" | "tests/benchmark/run"] => {
                let script = root().join(command);
                let parsed = Command::new("bash").arg("-n").arg(&script).status().unwrap();
                assert!(is_executable(&script) && parsed.success(), "{command}");
            }
            ["ossferry", arguments @ ..] => {
                let said = ossferry.run(arguments).await.expect(0);
                match arguments[0] {
                    // As its reader fills it in.
                    "init" => ossferry.write_job(&job.text()),
                    "run" | "report" => assert!(said.stdout.contains("copied"), "{}", said.stdout),
                    _ => {}
                }
            }
            _ => panic!("README names a command that no test runs: {command}"),
        }
    }
    assert_eq!(oss.target().entries().await.len(), 5);
}

/// `cargo build` at the root builds `ossferry`, from the lock file as it is.
fn assert_builds_the_command() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo is there: it runs this test");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let built = metadata["workspace_default_members"].as_array().unwrap();
    assert!(built.iter().any(|member| member.as_str().unwrap().contains("functions/ossferry")));
}

#[test]
fn the_second_tier_runs_the_first_command_of_the_readme_to_the_letter() {
    let long = std::fs::read_to_string(root().join("tests/long")).unwrap();
    let first = &commands()[0];
    assert!(long.lines().any(|line| line == first), "{first}");
}
