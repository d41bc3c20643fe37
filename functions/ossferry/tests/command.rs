//! The command as its users run it: processes, signals, exit statuses, an OSS endpoint on loopback.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use oss_emulator::{Emulator, EmulatorOptions, RunningEmulator};
use ossferry_core::time::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// Small objects of the folder that is moved.
const FILES: u64 = 1_500;

struct Bench {
    folder: TempDir,
    _emulator: RunningEmulator,
}

impl Bench {
    async fn new(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        for number in 0..FILES {
            let below = source.join(format!("d{}", number % 7));
            fs::create_dir_all(&below).unwrap();
            fs::write(below.join(format!("f{number:04} +%.txt")), number.to_string()).unwrap();
        }
        fs::write(source.join("large"), vec![7; 3 << 20]).unwrap();
        let emulator = Emulator::start(EmulatorOptions {
            root: folder.path().join("oss"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            buckets: vec!["moved".to_owned()],
            access_key: "ak".to_owned(),
            secret_key: "sk".to_owned(),
            security_token: None,
            region: "cn-hangzhou".to_owned(),
            clock: Arc::new(|| {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                Timestamp(i64::try_from(since.as_millis()).unwrap())
            }),
        })
        .await
        .unwrap();
        let job = format!(
            "name = \"test\"\n[source]\nkind = \"folder\"\npath = \"{0}/source\"\n\
             [target]\nendpoint = \"{1}\"\nregion = \"cn-hangzhou\"\nbucket = \"moved\"\n\
             addressing = \"path\"\n\
             credentials = {{ from = \"env\", access_key = \"AK\", secret_key = \"SK\" }}\n\
             [limits]\ntask_objects_max = 100\nsplit_bytes = 1048576\npart_bytes = 1048576\n\
             {limits}\n[state]\npath = \"{0}/state.sqlite\"\n",
            folder.path().display(),
            emulator.endpoint()
        );
        fs::write(folder.path().join("job.toml"), job).unwrap();
        Self { folder, _emulator: emulator }
    }

    fn job(&self) -> PathBuf {
        self.folder.path().join("job.toml")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ossferry"));
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        command.args([name, "--job"]).arg(self.job()).args(rest.split_whitespace());
        command.env("AK", "ak").env("SK", "sk");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn start(&self, line: &str) -> Child {
        self.command(line).spawn().unwrap()
    }

    /// Waits until some object is recorded, and not all are.
    fn wait_for_progress(&self) {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            assert!(Instant::now() < until, "nothing was copied in a minute");
            let status = self.run("status --json");
            if status.status.success() && last_json(&status)["copied"].as_u64() > Some(0) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn last_json(output: &Output) -> Value {
    let text = text(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

/// Every object once, in the totals and in the rows.
fn assert_whole(bench: &Bench, report: &Value) {
    assert_eq!(report["state"], "finished", "{report}");
    assert_eq!(report["listed"], FILES + 1, "{report}");
    assert_eq!(report["copied"], FILES + 1, "{report}");
    assert_eq!(report["proof"]["C"], FILES + 1, "{report}");
    let csv = text(&bench.run("report --format csv").stdout);
    let rows: Vec<_> = csv.lines().skip(1).collect();
    let keys: BTreeSet<_> = rows.iter().map(|row| row.split(',').next()).collect();
    assert_eq!((rows.len() as u64, keys.len() as u64), (FILES + 1, FILES + 1));
    assert!(rows.iter().all(|row| row.contains(",copied,C,")), "{csv}");
    assert!(csv.contains("d0/f0000 +%25.txt,1,copied,C,"), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_one_json_object_and_the_next_finds_everything_equal() {
    let bench = Bench::new("").await;
    let check = bench.run("check");
    assert!(check.status.success(), "{}", text(&check.stdout));
    let said = text(&check.stdout);
    assert!(said.contains("LIST is allowed, and HEAD of") && said.contains("not tried"), "{said}");
    let ledger = bench.folder.path().join("state.sqlite");
    assert!(!ledger.exists(), "check makes no ledger");
    let nothing = bench.run("status");
    let hint = format!(
        "no ledger at {}: nothing was run yet; begin with: ossferry run --job {}",
        ledger.display(),
        bench.job().display()
    );
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains(&hint), "{}", text(&nothing.stderr));
    let run = bench.run("run --json");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert_eq!(text(&run.stdout).lines().count(), 1);
    let report = last_json(&run);
    assert_whole(&bench, &report);
    assert_eq!(report["requests"]["target"]["PutObject"], FILES, "{report}");
    assert_eq!(report["requests"]["target"]["UploadPart"], 3, "{report}");
    let again = last_json(&bench.run("run --json"));
    assert_eq!((&again["kind"], &again["planned"]), (&"incremental".into(), &0.into()), "{again}");
    let key = bench.run("inspect key large --json");
    assert_eq!(last_json(&key)["outcome"], "copied");
    let passes = text(&bench.run("inspect passes").stdout);
    assert_eq!(passes.lines().count(), 3, "{passes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_and_counts_every_object_once() {
    let bench = Bench::new("requests_per_second = 400").await;
    let mut child = bench.start("run");
    bench.wait_for_progress();
    assert_eq!(last_json(&bench.run("status --json"))["working"], true);
    child.kill().unwrap();
    child.wait().unwrap();
    let status = last_json(&bench.run("status --json"));
    assert_eq!(status["working"], false, "a killed process lets go of its mark");
    let recorded = status["copied"].as_u64().unwrap();
    assert!(recorded < FILES, "killed too late to show anything");
    let run = bench.run("run --json");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("going on with pass"));
    assert_whole(&bench, &last_json(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_cleanly_and_says_how_to_go_on() {
    let bench = Bench::new("requests_per_second = 400").await;
    let child = bench.start("run --json");
    bench.wait_for_progress();
    signal(&child, "-INT");
    let stopped = child.wait_with_output().unwrap();
    let said = text(&stopped.stderr);
    assert_eq!(stopped.status.code(), Some(130), "{said}");
    let line = format!("ossferry run --job {}", bench.job().display());
    assert!(said.contains(&line), "{said}");
    assert_eq!(text(&stopped.stdout).lines().count(), 1);
    let open = last_json(&stopped);
    assert_eq!(open["state"], "open", "{open}");
    assert!(open["pending"].as_u64() > Some(0), "{open}");
    assert_eq!(last_json(&bench.run("status --json"))["working"], false);
    let idle = format!("no process works on it; go on with: {line}");
    assert_eq!(text(&bench.run("status").stdout).lines().last(), Some(&*idle));
    let other = bench.run("run --pass incremental");
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stderr).contains("is not finished"), "{}", text(&other.stderr));
    let cancelled = bench.run("cancel");
    assert_eq!(cancelled.status.code(), Some(0), "{}", text(&cancelled.stderr));
    let report = last_json(&bench.run("report --format json"));
    assert_eq!(report["state"], "cancelled");
    assert!(report["not-attempted"].as_u64() > Some(0), "{report}");
    assert_eq!(bench.run("cancel").status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_behind_without_a_failure_is_pointed_to_and_listed() {
    let bench = Bench::new("").await;
    fs::write(bench.folder.path().join("source/\\leading"), "x").unwrap();
    let run = bench.run("run");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let said = text(&run.stderr);
    let (_, line) =
        said.split_once("list them with: ossferry ").unwrap_or_else(|| panic!("{said}"));
    let words: Vec<_> = line.lines().next().unwrap().split(' ').collect();
    let listed = Command::new(env!("CARGO_BIN_EXE_ossferry")).args(words).output().unwrap();
    let listed = text(&listed.stdout);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("unsupported") && listed.contains("leading"), "{listed}");
    assert!(text(&bench.run("report").stdout).contains("list them with: ossferry inspect"));
    assert_eq!(text(&bench.run("inspect failures").stdout).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planner_and_two_copiers_share_one_ledger() {
    let bench = Bench::new("").await;
    let copiers = [bench.start("copy --json --workers 1"), bench.start("copy --json --workers 1")];
    let plan = bench.run("plan");
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan.stderr));
    for copier in copiers {
        let copied = copier.wait_with_output().unwrap();
        assert_eq!(copied.status.code(), Some(0), "{}", text(&copied.stderr));
        assert_whole(&bench, &last_json(&copied));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_invocations_hand_their_rest_back_and_nothing_is_lost() {
    let bench = Bench::new("requests_per_second = 150\nworkers = 2").await;
    let run = bench.run("run --json --invocation-seconds 1");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert_whole(&bench, &last_json(&run));
    let tasks = text(&bench.run("inspect tasks --json").stdout);
    let fences = tasks.lines().map(|line| {
        let task: Value = serde_json::from_str(line).unwrap();
        task["fence"].as_u64().unwrap()
    });
    assert!(fences.max() > Some(2), "no task was handed back: {tasks}");
}

#[test]
fn the_demo_moves_a_folder_and_compares_what_has_arrived() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "hello").unwrap();
    fs::write(folder.path().join(".hidden"), "").unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_ossferry"))
        .arg("demo")
        .arg(folder.path())
        .output()
        .unwrap();
    let said = text(&demo.stdout);
    assert_eq!(demo.status.code(), Some(0), "{said}{}", text(&demo.stderr));
    assert!(said.contains("2 objects, 5 B: as many as were copied"), "{said}");
    assert_eq!(said.matches("file, ledger and emulator agree").count(), 2, "{said}");
}

#[test]
fn what_cannot_run_says_why_in_a_line_or_two_and_exits_1() {
    for (line, why) in [
        ("run --job /nowhere/job.toml", "ossferry init /nowhere/job.toml"),
        ("run", "--job"),
        ("frobnicate", "unrecognized"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_ossferry")).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(text(&output.stderr).contains(why), "{line}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}
