//! `import-cfg`: from the files of ossimport to a job file, saying line by line what became of every key.

mod address;
mod cfg;
mod draft;
mod habits;
mod limits;
mod properties;
mod schedule;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod unneeded;

use std::io::{self, Write as _};
use std::path::Path;

use ossferry_core::job::{Job, JobErrors};
use serde::Serialize;

use self::cfg::{Became, Cfg, Fate};
use self::draft::{Blank, Draft};
use self::schedule::Schedule;
use crate::cli::ImportCfgArguments;
use crate::command_error::CommandError;
use crate::init::write_new;

/// What a message calls the job file where it goes to standard output.
const JOB_FILE: &str = "job.toml";

/// Which key of ossimport a key of the job file comes from.
const ORIGINS: [(&str, &str); 8] = [
    ("name", "jobName"),
    ("source.bucket", "srcBucket"),
    ("source.prefix", "srcPrefix"),
    ("source.path", "srcPrefix"),
    ("source", "srcDomain"),
    ("target.bucket", "destBucket"),
    ("target.prefix", "destPrefix"),
    ("target", "destDomain"),
];

/// What was made of ossimport's files.
#[derive(Debug, Serialize)]
struct Imported {
    /// The job file; `None` where something was refused.
    #[serde(skip)]
    text: Option<String>,
    /// What became of every line, in order.
    keys: Vec<Fate>,
    /// A line that has to be written before the job file is one.
    blank: Option<Blank>,
    /// Variables to be set, and the lines whose value belongs into each.
    variables: Vec<Variable>,
    /// Of an incremental job.
    schedule: Option<Schedule>,
}

/// A variable that the job file names.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Variable {
    name: &'static str,
    /// `job.cfg:7`.
    from: String,
}

/// Reads ossimport's files, each with its name, the job's own first.
fn import(files: &[(String, Vec<u8>)]) -> Imported {
    let mut cfg = Cfg::read(files);
    let mut draft = Draft::default();
    habits::read(&mut cfg, &mut draft);
    source::read(&mut cfg, &mut draft);
    target::read(&mut cfg, &mut draft);
    limits::read(&mut cfg, &mut draft);
    let schedule = schedule::read(&mut cfg);
    let text = draft.text();
    let blank = draft.blank;
    if !cfg.is_refused() {
        // What else stands in it is looked at now.
        let whole = blank.map_or_else(|| text.clone(), |blank| blank.filled_in(&text));
        if let Some(key) = cfg.secret_in(&text) {
            cfg.take_back(key);
            cfg.refuse(key, "stands elsewhere in the file as well, from where it would be written");
        } else if let Err(errors) = Job::parse(&whole) {
            refuse(&mut cfg, &errors);
        }
    }
    unneeded::rest(&mut cfg);
    let text = (!cfg.is_refused()).then_some(text);
    let variables = draft.variables.into_iter().map(|(name, from)| Variable { name, from });
    let (keys, variables) = (cfg.fates(), variables.collect());
    Imported { blank: blank.filter(|_| text.is_some()), text, keys, variables, schedule }
}

/// What a job file may not say is the fault of the key that it comes from.
fn refuse(cfg: &mut Cfg, errors: &JobErrors) {
    for error in &errors.0 {
        let origin = ORIGINS.iter().find(|(key, _)| error.key.starts_with(key));
        let key = origin.map_or("srcType", |(_, origin)| *origin);
        // What it became before no longer holds.
        cfg.take_back(key);
        cfg.refuse(key, format!("{}; {}", error.problem, error.remedy));
    }
}

/// Writes the job file, and says what became of every key; answers the exit status.
pub(crate) fn write(arguments: &ImportCfgArguments) -> Result<u8, CommandError> {
    let named = [Some(&arguments.job_cfg), arguments.sys_properties.as_ref()];
    let read = |path: &Path| {
        let failed = |error| CommandError::File { what: "read", path: path.to_owned(), error };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok::<_, CommandError>((name, std::fs::read(path).map_err(failed)?))
    };
    let files: Vec<_> =
        named.into_iter().flatten().map(|path| read(path)).collect::<Result<_, _>>()?;
    let imported = import(&files);
    let job_file = arguments.output.as_ref().map_or(JOB_FILE.into(), |path| path.to_string_lossy());
    let account = if arguments.json {
        serde_json::to_string(&imported).expect("texts and numbers")
    } else {
        imported.for_people(&job_file)
    };
    let Some(text) = &imported.text else {
        writeln!(io::stderr(), "{}", account.trim_end())?;
        return Ok(1);
    };
    match &arguments.output {
        Some(path) => write_new(path, text)?,
        None => io::stdout().write_all(text.as_bytes())?,
    }
    writeln!(io::stderr(), "{}", account.trim_end())?;
    Ok(0)
}

impl Imported {
    /// A line for each key, then what is left to do.
    fn for_people(&self, job_file: &str) -> String {
        let mut lines: Vec<String> = self.keys.iter().map(Fate::line).collect();
        if self.text.is_none() {
            let refused = self.keys.iter().filter(|fate| fate.became == Became::Refused).count();
            lines.push(format!("no job file is written: {refused} refused"));
            return lines.join("\n");
        }
        if let Some(Blank { key, what, .. }) = self.blank {
            lines.push("write into the job file, which is refused until then:".to_owned());
            lines.push(format!("  {key}  {what}"));
        }
        if !self.variables.is_empty() {
            lines.push("put into the environment, and into no file:".to_owned());
        }
        for Variable { name, from } in &self.variables {
            lines.push(format!("  {name}  the value at {from}"));
        }
        if let Some(schedule) = &self.schedule {
            let Schedule { aws, aliyun, .. } = schedule;
            lines.push(format!("passes every {} minutes:", schedule.minutes));
            lines.push(format!("  on one machine      {}", schedule.on_one_machine(job_file)));
            lines.push(format!("  on AWS              PassSchedule=\"{aws}\" and JobName"));
            lines.push(format!("  on Alibaba Cloud    PassSchedule=\"{aliyun}\" and JobName"));
        }
        lines.push(format!("next: ossferry check --job {job_file}"));
        lines.join("\n")
    }
}

impl Fate {
    fn line(&self) -> String {
        let Self { file, line, key, became, note } = self;
        let place = match (file, line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            _ => String::new(),
        };
        format!("{place}{key}: {}: {note}", became.as_str())
    }
}
