//! `demo`: the whole thing on one machine, with an OSS emulator as the target.

mod proof;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount};
use oss_emulator::{Emulator, EmulatorOptions, RunningEmulator};
use ossferry_core::key::Key;
use ossferry_core::ports::{ListRequest, ListStart, Source};
use ossferry_ends::{EndError, Surroundings};
use ossferry_local::FolderSource;
use tempfile::TempDir;

use crate::cli::{DemoArguments, PassArguments, WorkArguments};
use crate::command_error::CommandError;
use crate::host::Role;
use crate::host::interrupt::INTERRUPTED;
use crate::job_ledger::read_job;
use crate::machine::Machine;
use crate::run::{Crew, Ending, begin, operate};

const BUCKET: &str = "ossferry-demo";
const REGION: &str = "cn-hangzhou";

/// Names of the variables in the demo's job file.
const ACCESS_KEY: &str = "OSSFERRY_DEMO_ACCESS_KEY";
const SECRET_KEY: &str = "OSSFERRY_DEMO_SECRET_KEY";

/// A folder of more than this takes a while, and as much room again.
const MUCH_BYTES: u64 = 2 << 30;

/// Moves the folder; answers the exit status.
pub(crate) async fn show(arguments: &DemoArguments, machine: &Machine) -> Result<u8, CommandError> {
    let folder = arguments.folder.canonicalize().map_err(|error| CommandError::File {
        what: "open folder",
        path: arguments.folder.clone(),
        error,
    })?;
    let mut room = make_room(&folder, arguments.keep)?;
    let (objects, bytes) = measure(&folder, machine).await?;
    if objects == 0 {
        return Err(CommandError::DemoOfNothing(folder));
    }
    let (demo, machine) = Demo::start(&folder, room.path(), machine).await?;
    let endpoint = demo.emulator.endpoint();
    eprintln!(
        "moving {} files, {}, from {} into an OSS emulator at {endpoint}",
        HumanCount(objects),
        HumanBytes(bytes),
        folder.display(),
    );
    if bytes > MUCH_BYTES {
        eprintln!(
            "that is much: {} will take as much room; Ctrl-C and name a smaller folder if that is \
             not meant",
            room.path().display()
        );
    }
    let status = demo.run(&folder, &machine).await;
    demo.emulator.shutdown().await;
    if arguments.keep {
        room.disable_cleanup(true);
        eprintln!(
            "kept: {}; look into it with: ossferry inspect --job {} passes",
            room.path().display(),
            demo.job_file.display(),
        );
    }
    status
}

/// A temporary folder that is not part of what is moved.
fn make_room(folder: &Path, keep: bool) -> Result<TempDir, CommandError> {
    let temporary = std::env::temp_dir();
    let failed = |error| CommandError::File { what: "write in", path: temporary.clone(), error };
    let mut room = tempfile::Builder::new().prefix("ossferry-demo-").tempdir().map_err(failed)?;
    room.disable_cleanup(keep);
    if room.path().canonicalize().map_err(failed)?.starts_with(folder) {
        room.disable_cleanup(false);
        return Err(CommandError::DemoInItself(folder.to_owned()));
    }
    Ok(room)
}

/// Files and bytes, as the source will list them.
async fn measure(folder: &Path, machine: &Machine) -> Result<(u64, u64), CommandError> {
    let failed = |error| EndError::End { end: "source", error };
    let source = FolderSource::open(folder, machine.clock()).map_err(failed)?;
    let keys_max = source.profile().page_keys_max;
    let mut request = ListRequest { prefix: Key::default(), start: ListStart::Beginning, keys_max };
    let (mut objects, mut bytes) = (0, 0);
    loop {
        let page = source.list(&request).await.map_err(failed)?;
        objects += page.entries.len() as u64;
        bytes += page.entries.iter().map(|entry| entry.size).sum::<u64>();
        match page.next {
            Some(next) => request.start = ListStart::Token(next),
            None => return Ok((objects, bytes)),
        }
    }
}

struct Demo {
    emulator: RunningEmulator,
    job_file: PathBuf,
}

impl Demo {
    /// Starts the emulator and writes the job file. The machine that is answered knows the keys.
    async fn start(
        folder: &Path,
        room: &Path,
        machine: &Machine,
    ) -> Result<(Self, Machine), CommandError> {
        let random = || format!("{:032x}", fastrand::u128(..));
        let (access_key, secret_key) = (random(), random());
        let emulator = Emulator::start(EmulatorOptions {
            root: room.join("oss"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            buckets: vec![BUCKET.to_owned()],
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            security_token: None,
            region: REGION.to_owned(),
            clock: machine.clock(),
        })
        .await?;
        let job_file = room.join("job.toml");
        let text = job_text(folder, &room.join("demo.sqlite"), &emulator.endpoint())?;
        std::fs::write(&job_file, text).map_err(|error| CommandError::File {
            what: "write",
            path: job_file.clone(),
            error,
        })?;
        let variables = Arc::new(move |name: &str| match name {
            ACCESS_KEY => Some(access_key.clone()),
            SECRET_KEY => Some(secret_key.clone()),
            _ => None,
        });
        let around = Surroundings::of_machine(machine.clock(), variables);
        Ok((Self { emulator, job_file }, Machine { around, ..machine.clone() }))
    }

    async fn run(&self, folder: &Path, machine: &Machine) -> Result<u8, CommandError> {
        let job = read_job(&self.job_file)?;
        let crew = Crew::hire(job, Role::Run, WorkArguments::default(), machine).await?;
        let chosen = begin(&crew, &PassArguments::default(), machine).await?;
        let pass = chosen.pass().clone();
        let again = "ossferry demo, from the beginning";
        let report = match operate(&crew, chosen, again, machine).await? {
            Ending::Interrupted => return Ok(INTERRUPTED),
            Ending::Walked(report) | Ending::Ended(report) => report,
        };
        println!("{report}");
        proof::show(&crew, &pass, folder, &report).await?;
        println!(
            "\nfor real: ossferry init, fill in job.toml, then\n  \
             ossferry check --job job.toml\n  ossferry run --job job.toml"
        );
        Ok(report.exit_status())
    }
}

fn job_text(folder: &Path, state: &Path, endpoint: &str) -> Result<String, CommandError> {
    Ok(format!(
        "name = \"demo\"\n\
         [source]\nkind = \"folder\"\npath = {folder}\n\
         [target]\nendpoint = \"{endpoint}\"\nregion = \"{REGION}\"\nbucket = \"{BUCKET}\"\n\
         addressing = \"path\"\n\
         credentials = {{ from = \"env\", access_key = \"{ACCESS_KEY}\", \
         secret_key = \"{SECRET_KEY}\" }}\n\
         [state]\npath = {state}\n",
        folder = quoted(folder)?,
        state = quoted(state)?,
    ))
}

/// A path as a TOML string.
fn quoted(path: &Path) -> Result<String, CommandError> {
    let text = path.to_str().ok_or_else(|| CommandError::PathNotUtf8(path.to_owned()))?;
    Ok(toml::Value::String(text.to_owned()).to_string())
}

#[cfg(test)]
mod tests {
    use ossferry_core::job::{Job, SourceSpec};

    use super::*;

    #[test]
    fn the_demos_job_file_holds_any_path_and_no_secret() {
        let folder = Path::new("/tmp/with \"quotes\"\\and\nlines");
        let text = job_text(folder, Path::new("/tmp/s.sqlite"), "http://127.0.0.1:9").unwrap();
        let job = Job::parse(&text).unwrap();
        let SourceSpec::Folder(source) = &job.source else { panic!("{text}") };
        assert_eq!(Path::new(&source.path), folder);
    }

    #[test]
    fn a_folder_that_holds_the_demos_own_is_refused() {
        let temporary = std::env::temp_dir().canonicalize().unwrap();
        let error = make_room(&temporary, false).unwrap_err();
        assert!(matches!(error, CommandError::DemoInItself(_)), "{error}");
        make_room(&temporary.join("elsewhere"), false).unwrap();
    }
}
