//! What copying costs: large objects, small ones, nothing at all, and over TLS.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

use crate::ciphers;
use crate::contestants::{Ours, Peer, Wire, check_installed, floor};
use crate::ends::{Ends, Origin};
use crate::figures::{Bound, Figures, Goal, Table};
use crate::measured::Cost;
use crate::mebibytes;

/// CPU seconds a GiB that a function of Lambda with 512 MB has at 75 MB/s: 1,769 MB are one processor.
pub(crate) const FUNCTION_SHARE: f64 = 512.0 / 1_769.0 * (1_073_741_824.0 / 75e6);

/// How much is measured, and how often.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Scale {
    /// Runs of each contestant, interleaved
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Large objects of 128 MiB
    #[arg(long, default_value_t = 8)]
    large_objects: usize,
    /// Small objects of 4 KiB
    #[arg(long, default_value_t = 10_000)]
    small_objects: usize,
    /// Size in MiB of the one object by which it is seen that memory does not grow
    #[arg(long, default_value_t = 2_048)]
    huge_mebibytes: usize,
    /// Measure only this
    #[arg(long)]
    only: Option<Suite>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Suite {
    /// Large objects, four in flight, beside the floor and both peers.
    Large,
    /// The peak of memory, whatever the size of an object.
    Memory,
    /// Small objects, thirty-two in flight; then the same again, unchanged.
    Small,
    /// Large objects over TLS at both ends.
    Tls,
}

pub(crate) const LARGE_BYTES: usize = 128 << 20;
const SMALL_BYTES: usize = 4 << 10;
pub(crate) const LARGE_IN_FLIGHT: usize = 4;
const SMALL_IN_FLIGHT: usize = 32;
const PEERS: [Peer; 2] = [Peer::Juicefs, Peer::Rclone];

/// What one contestant cost, run by run.
#[derive(Default)]
struct Tally {
    cpu: Figures,
    wall: Figures,
    peak: Figures,
}

impl Tally {
    fn take(&mut self, cost: &Cost) {
        self.cpu.push(seconds(cost.cpu()));
        self.wall.push(seconds(cost.wall));
        self.peak.push(mebibytes(cost.peak_bytes));
    }

    /// Processor seconds a unit of work.
    fn per(&self, units: f64) -> f64 {
        self.cpu.median() / units
    }
}

/// Measures, and prints as it goes.
pub(crate) async fn measure(scale: Scale) -> Result<(), Box<dyn Error>> {
    check_installed()?;
    let ends = Ends::start()?;
    let is_wanted = |suite| scale.only.is_none_or(|only| only == suite);
    let mut goals = Vec::new();
    if is_wanted(Suite::Large) || is_wanted(Suite::Tls) {
        let origin = ends.origin(scale.large_objects, LARGE_BYTES).await;
        if is_wanted(Suite::Large) {
            goals.extend(large(&ends, &origin, scale.runs).await?);
        }
        if is_wanted(Suite::Tls) {
            goals.extend(tls(&ends, &origin, scale.runs).await?);
        }
        origin.bucket.remove().await?;
    }
    if is_wanted(Suite::Memory) {
        goals.extend(memory(&ends, scale).await?);
    }
    if is_wanted(Suite::Small) {
        goals.extend(small(&ends, scale).await?);
    }
    println!("\nGoals");
    for goal in goals {
        println!("{goal}");
    }
    Ok(())
}

async fn large(ends: &Ends, origin: &Origin, runs: usize) -> Result<Vec<Goal>, Box<dyn Error>> {
    let mut tallies: [Tally; 4] = Default::default();
    for _ in 0..runs {
        tallies[0].take(&floor(ends, origin, LARGE_IN_FLIGHT).await?);
        let ours = Ours::new(ends, origin, LARGE_IN_FLIGHT, Wire::Plain).await?;
        tallies[1].take(&copied(&ours, ends, origin)?.0);
        for (tally, peer) in tallies[2..].iter_mut().zip(PEERS) {
            tally.take(&copied_by(peer, ends, origin, LARGE_IN_FLIGHT, Wire::Plain).await?);
        }
    }
    let size = format!("{} objects of 128 MiB, {LARGE_IN_FLIGHT} in flight", origin.keys.len());
    println!("\nLarge: {size}, {runs} runs, median [least-greatest]");
    println!("{}", table_of_bytes(&["floor", "ossferry", "juicefs", "rclone"], &tallies, origin));
    let [floor, ours, juicefs, _] = &tallies;
    let ratio = |other: &Tally| ours.cpu.median() / other.cpu.median();
    Ok(vec![
        goal("large: CPU against juicefs", ratio(juicefs), Bound::AtMost(0.5)),
        goal("large: CPU against the floor", ratio(floor), Bound::AtMost(1.7)),
        goal("large: MiB of memory with 4 in flight", ours.peak.greatest(), Bound::AtMost(32.0)),
    ])
}

async fn tls(ends: &Ends, origin: &Origin, runs: usize) -> Result<Vec<Goal>, Box<dyn Error>> {
    let mut tallies: [Tally; 3] = Default::default();
    let mut alone = Figures::default();
    for _ in 0..runs {
        for (tally, wire) in tallies.iter_mut().zip([Wire::Plain, Wire::Tls]) {
            let ours = Ours::new(ends, origin, LARGE_IN_FLIGHT, wire).await?;
            tally.take(&copied(&ours, ends, origin)?.0);
        }
        let cost = copied_by(Peer::Rclone, ends, origin, LARGE_IN_FLIGHT, Wire::Tls).await?;
        tallies[2].take(&cost);
        alone.push(seconds(ciphers::both_ways(1 << 30)?));
    }
    println!("\nTLS at both ends: the same objects, {runs} runs, median [least-greatest]");
    let names = ["ossferry, plain", "ossferry, TLS", "rclone, TLS"];
    println!("{}", table_of_bytes(&names, &tallies, origin));
    println!("  AES-128-GCM alone, both ways: {alone} CPU s/GiB");
    let ratio = tallies[1].cpu.median() / tallies[0].cpu.median();
    let each = tallies[1].per(origin.gibibytes());
    Ok(vec![
        goal("TLS: CPU against our own without", ratio, Bound::AtMost(2.0)),
        goal("TLS: CPU s/GiB, in a function's share", each, Bound::AtMost(FUNCTION_SHARE)),
    ])
}

async fn memory(ends: &Ends, scale: Scale) -> Result<Vec<Goal>, Box<dyn Error>> {
    let origin = ends.origin_of_one(scale.huge_mebibytes << 20).await;
    println!("\nMemory: one object of {} MiB in parts", scale.huge_mebibytes);
    let mut goals = Vec::new();
    for (in_flight, most) in [(4, 32.0), (16, 64.0)] {
        let mut tally = Tally::default();
        for _ in 0..scale.runs.min(3) {
            let ours = Ours::new(ends, &origin, in_flight, Wire::Plain).await?;
            tally.take(&copied(&ours, ends, &origin)?.0);
        }
        println!("  {in_flight} in flight: peak MiB {}", tally.peak);
        let what = format!("memory: MiB with {in_flight} parts in flight of a huge object");
        goals.push(goal(&what, tally.peak.greatest(), Bound::AtMost(most)));
    }
    origin.bucket.remove().await?;
    Ok(goals)
}

async fn small(ends: &Ends, scale: Scale) -> Result<Vec<Goal>, Box<dyn Error>> {
    let origin = ends.origin(scale.small_objects, SMALL_BYTES).await;
    let mut firsts: [Tally; 3] = Default::default();
    let mut agains: [Tally; 3] = Default::default();
    let mut requests = [Value::Null, Value::Null];
    for _ in 0..scale.runs {
        let ours = Ours::new(ends, &origin, SMALL_IN_FLIGHT, Wire::Plain).await?;
        let (first, report) = copied(&ours, ends, &origin)?;
        firsts[0].take(&first);
        let (again, unchanged) = ours.pass(ends)?;
        agains[0].take(&again);
        requests = [report["requests"].clone(), unchanged["requests"].clone()];
        for (at, peer) in PEERS.into_iter().enumerate() {
            let target = ends.empty_bucket().await;
            for tally in [&mut firsts[at + 1], &mut agains[at + 1]] {
                let copy = peer.copy(ends, &origin.bucket, &target, SMALL_IN_FLIGHT, Wire::Plain);
                tally.take(&copy.await?);
            }
            target.remove().await?;
        }
    }
    let names = ["ossferry", "juicefs", "rclone"];
    let (count, runs) = (origin.keys.len(), scale.runs);
    println!("\nSmall: {count} objects of 4 KiB, {SMALL_IN_FLIGHT} in flight, {runs} runs");
    println!("{}", table_of_objects(&names, &firsts, count));
    println!("  requests of ossferry: {}", requests[0]);
    println!("\nUnchanged: the same again");
    println!("{}", table_of_objects(&names, &agains, count));
    println!("  requests of ossferry: {}", requests[1]);
    origin.bucket.remove().await?;
    let many = |tallies: &[Tally; 3]| tallies[1].cpu.median() / tallies[0].cpu.median();
    let mut goals = vec![
        goal("small: objects a CPU second against juicefs", many(&firsts), Bound::AtLeast(3.0)),
        goal("unchanged: CPU against juicefs", 1.0 / many(&agains), Bound::AtMost(0.5)),
    ];
    goals.extend(request_goals(&requests, count));
    Ok(goals)
}

/// One GET and one PUT an object; two LISTs a thousand objects at each side, and no HEAD.
#[expect(clippy::cast_precision_loss, reason = "a count of objects")]
fn request_goals(requests: &[Value; 2], objects: usize) -> Vec<Goal> {
    let each = |requests: &Value, side: &str, names: &[&str]| {
        let made = names.iter().filter_map(|name| requests[side][*name].as_f64());
        made.sum::<f64>() / objects as f64
    };
    let [first, again] = requests;
    let lists = ["ListObjects", "ListObjectsV2"];
    let heads = each(again, "source", &["HeadObject"])
        + each(again, "target", &["HeadObject", "GetObjectMeta"]);
    vec![
        goal("small: GETs an object", each(first, "source", &["GetObject"]), Bound::AtMost(1.0)),
        goal("small: PUTs an object", each(first, "target", &["PutObject"]), Bound::AtMost(1.0)),
        goal("unchanged: HEADs an object", heads, Bound::AtMost(0.0)),
        goal(
            "unchanged: LISTs of the source a thousand objects",
            1_000.0 * each(again, "source", &lists),
            Bound::AtMost(2.0),
        ),
        goal(
            "unchanged: LISTs of the target a thousand objects",
            1_000.0 * each(again, "target", &lists),
            Bound::AtMost(2.0),
        ),
    ]
}

/// A first pass of ours; everything must have been copied.
fn copied(ours: &Ours, ends: &Ends, origin: &Origin) -> Result<(Cost, Value), Box<dyn Error>> {
    let (cost, report) = ours.pass(ends)?;
    if report["copied"].as_u64() != Some(origin.keys.len() as u64) {
        return Err(format!("ossferry did not copy everything: {report}").into());
    }
    Ok((cost, report))
}

async fn copied_by(
    peer: Peer,
    ends: &Ends,
    origin: &Origin,
    in_flight: usize,
    wire: Wire,
) -> Result<Cost, Box<dyn Error>> {
    let target = ends.empty_bucket().await;
    let cost = peer.copy(ends, &origin.bucket, &target, in_flight, wire).await?;
    target.remove().await?;
    Ok(cost)
}

fn table_of_bytes(names: &[&str], tallies: &[Tally], origin: &Origin) -> Table {
    let mut table = Table::new(["", "CPU s/GiB", "CPU s", "wall s", "peak MiB"]);
    for (name, tally) in names.iter().zip(tallies) {
        table.row([
            (*name).to_owned(),
            format!("{:.3}", tally.per(origin.gibibytes())),
            tally.cpu.to_string(),
            tally.wall.to_string(),
            tally.peak.to_string(),
        ]);
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "a count of objects")]
fn table_of_objects(names: &[&str], tallies: &[Tally], objects: usize) -> Table {
    let mut table = Table::new(["", "objects/CPU s", "CPU s", "wall s", "peak MiB"]);
    for (name, tally) in names.iter().zip(tallies) {
        table.row([
            (*name).to_owned(),
            format!("{:.0}", 1.0 / tally.per(objects as f64)),
            tally.cpu.to_string(),
            tally.wall.to_string(),
            tally.peak.to_string(),
        ]);
    }
    table
}

pub(crate) fn goal(what: &str, figure: f64, bound: Bound) -> Goal {
    Goal { what: what.to_owned(), figure, bound }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
