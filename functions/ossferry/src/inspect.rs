//! `inspect`: what the ledger holds, a line each.

mod lines;

use std::io::{self, BufWriter, Write};

use ossferry_core::fidelity::Property;
use ossferry_core::key::Key;
use ossferry_core::outcome::Outcome;
use ossferry_core::sums::Sum;
use ossferry_ledger::ObjectRecord;
use ossferry_ledger::ids::PassRef;
use ossferry_ledger::lists::ObjectResult;
use ossferry_ledger::rows::PassState;
use serde_json::Value;

use crate::cli::{InspectArguments, Inspected};
use crate::command_error::CommandError;
use crate::job_ledger::{JobLedger, read_job};
use crate::machine::Machine;
use crate::summary::LEFT_BEHIND;

/// Prints a line for each thing asked for: columns, or JSON.
pub(crate) async fn print(
    arguments: &InspectArguments,
    machine: &Machine,
) -> Result<(), CommandError> {
    let job = read_job(&arguments.job.file)?;
    let (kept, _) = JobLedger::look(&job, &arguments.job.file, machine).await?;
    let mut output = Lines { output: BufWriter::new(io::stdout()), json: arguments.json };
    if let Inspected::Passes = arguments.what {
        output.header(lines::PASSES)?;
        for pass in kept.ledger.passes(&kept.job).await? {
            output.line(&lines::pass(&pass))?;
        }
        return output.end();
    }
    if let Inspected::Key { key } = &arguments.what {
        let found = find(&kept, &Key::from_text(key), arguments.pass.as_deref()).await?;
        output.header(lines::OBJECTS)?;
        for record in found {
            output.line(&lines::object(&record))?;
        }
        return output.end();
    }
    let pass = kept.shown_pass(arguments.pass.as_deref()).await?;
    match &arguments.what {
        Inspected::Passes | Inspected::Key { .. } => {}
        Inspected::Slices => {
            output.header(lines::SLICES)?;
            for branch in kept.ledger.tree(&pass).await? {
                output.line(&lines::slice(&branch))?;
            }
        }
        Inspected::Tasks => tasks(&kept, &pass, &mut output).await?,
        Inspected::Failures => {
            objects(&kept, &pass, &Wanted::of(&[Outcome::Failed]), &mut output).await?;
        }
        Inspected::LeftBehind => {
            objects(&kept, &pass, &Wanted::of(&LEFT_BEHIND), &mut output).await?;
        }
        Inspected::Objects { outcome, dropped, mapped } => {
            let outcomes = if outcome.is_empty() { &Outcome::ALL[..] } else { outcome };
            let wanted = Wanted { outcomes, dropped, mapped };
            objects(&kept, &pass, &wanted, &mut output).await?;
        }
    }
    output.end()
}

/// What a pass says of a key: the one named, or the newest that planned it.
async fn find(
    kept: &JobLedger,
    key: &Key,
    pass: Option<&str>,
) -> Result<Vec<ObjectRecord>, CommandError> {
    let newest = kept.shown_pass(pass).await?;
    let mut passes = vec![newest.clone()];
    if pass.is_none() {
        let earlier = kept.ledger.passes(&kept.job).await?.into_iter().rev();
        let earlier = earlier.filter(|pass| pass.state != PassState::Skipped);
        passes.extend(earlier.map(|pass| kept.pass(pass.pass)).filter(|pass| *pass != newest));
    }
    for pass in &passes {
        let found = kept.ledger.find_key(pass, key).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(CommandError::UnknownKey)
}

async fn tasks(
    kept: &JobLedger,
    pass: &PassRef,
    output: &mut Lines<impl Write>,
) -> Result<(), CommandError> {
    output.header(lines::TASKS)?;
    let mut walk = kept.ledger.task_walk(pass).await?;
    while let Some((task, row)) = walk.next().await? {
        output.line(&lines::task(&task, &row))?;
    }
    Ok(())
}

/// Which objects of a pass.
struct Wanted<'a> {
    /// One of these.
    outcomes: &'a [Outcome],
    /// And, where any are named, without one of these, or with one of the next in another form.
    dropped: &'a [Property],
    mapped: &'a [Property],
}

impl<'a> Wanted<'a> {
    fn of(outcomes: &'a [Outcome]) -> Self {
        Self { outcomes, dropped: &[], mapped: &[] }
    }

    fn is_by_departure(&self) -> bool {
        !self.dropped.is_empty() || !self.mapped.is_empty()
    }

    /// Whether a task with these sums may hold one.
    fn may_be_of(&self, sum: &Sum) -> bool {
        let departs = || {
            self.dropped.iter().any(|property| sum.departures.dropped(*property) > 0)
                || self.mapped.iter().any(|property| sum.departures.mapped(*property) > 0)
        };
        self.outcomes.iter().any(|outcome| sum.of(*outcome) > 0)
            && (!self.is_by_departure() || departs())
    }

    fn is(&self, result: &ObjectResult) -> bool {
        let departures = result.departures;
        let departs = || {
            self.dropped.iter().any(|property| departures.dropped.has(*property))
                || self.mapped.iter().any(|property| departures.mapped.has(*property))
        };
        result.outcome.is_some_and(|outcome| self.outcomes.contains(&outcome))
            && (!self.is_by_departure() || departs())
    }
}

/// The objects that are wanted.
async fn objects(
    kept: &JobLedger,
    pass: &PassRef,
    wanted: &Wanted<'_>,
    output: &mut Lines<impl Write>,
) -> Result<(), CommandError> {
    output.header(lines::OBJECTS)?;
    let mut walk = kept.ledger.task_walk(pass).await?;
    while let Some((task, row)) = walk.next().await? {
        if !wanted.may_be_of(&row.sum) {
            continue;
        }
        let records = kept.ledger.object_records(&task, &row).await?;
        for record in records {
            if record.result.as_ref().is_some_and(|result| wanted.is(result)) {
                output.line(&lines::object(&record))?;
            }
        }
    }
    Ok(())
}

/// Columns and their least widths; the last one takes the rest of the line.
type Columns = &'static [(&'static str, usize)];

struct Lines<W: Write> {
    output: W,
    json: bool,
}

impl<W: Write> Lines<W> {
    fn header(&mut self, columns: Columns) -> Result<(), CommandError> {
        if !self.json {
            let names = columns.iter().map(|(name, width)| (*width, (*name).to_owned()));
            writeln!(self.output, "{}", aligned(names))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), CommandError> {
        if self.json {
            writeln!(self.output, "{}", line.object)?;
        } else {
            let fields = line.columns.iter().map(|(name, width)| {
                (*width, plain(line.object.get(*name).unwrap_or(&Value::Null)))
            });
            writeln!(self.output, "{}", aligned(fields))?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), CommandError> {
        self.output.flush()?;
        Ok(())
    }
}

/// One thing: all of it as JSON, and which fields of it stand in a table.
struct Line {
    columns: Columns,
    object: Value,
}

fn aligned(fields: impl Iterator<Item = (usize, String)>) -> String {
    let fields: Vec<_> = fields.map(|(width, field)| format!("{field:<width$}")).collect();
    fields.join("  ").trim_end().to_owned()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ossferry_core::key::Key;
    use ossferry_core::time::Timestamp;
    use ossferry_ledger::Branch;
    use ossferry_ledger::ids::SliceId;
    use ossferry_ledger::lease::Lease;
    use ossferry_ledger::rows::{SliceRow, TaskKind, TaskRow, TaskState};
    use serde_json::json;

    use super::*;

    fn printed(json: bool, line: &Line) -> String {
        let mut lines = Lines { output: Vec::new(), json };
        lines.header(line.columns).unwrap();
        lines.line(line).unwrap();
        String::from_utf8(lines.output).unwrap()
    }

    #[test]
    fn a_table_has_a_header_and_its_columns_are_aligned() {
        let slice = SliceRow::new(SliceId::root(), None, Some(Key::from("m")));
        let line = lines::slice(&Branch::Live(slice));
        let text = printed(false, &line);
        let (header, row) = text.trim_end().split_once('\n').unwrap();
        assert!(header.starts_with("slice"), "{header}");
        assert_eq!(header.find("state"), row.find("open"), "{text}");
        assert!(row.ends_with("  m"), "{row}");
    }

    #[test]
    fn json_is_one_object_a_line_without_a_header() {
        let pass = PassRef { job: "j".into(), pass: "p".into() };
        let task = pass.slice(SliceId::root()).task(3);
        let mut sum = Sum::default();
        sum.count(Outcome::Failed, 0, None);
        let row = TaskRow {
            seq: 3,
            kind: TaskKind::Batch,
            state: TaskState::Done,
            first_key: Key::from("a"),
            last_key: Key::new(&b"b\n"[..]),
            objects: 1,
            bytes: 9,
            sum,
            attempts: 2,
            unnoted_deaths: 0,
            fruitless: 0,
            restoring: 0,
            lease: Lease::default(),
            result_fences: vec![1],
            in_work: None,
            deaths: Vec::new(),
            list_digest: String::new(),
            planned_at: Timestamp(0),
            started_at: None,
            ended_at: None,
            reminder: None,
        };
        let text = printed(true, &lines::task(&task, &row));
        assert_eq!(text.matches('\n').count(), 1);
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["task"], json!("0/3"));
        assert_eq!(object["last_key"], json!("b%0A"));
        assert_eq!(object["outcomes"], json!({"failed": 1}));
    }
}
