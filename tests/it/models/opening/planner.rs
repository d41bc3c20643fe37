//! What a planner does next.

use ossferry_core::fidelity::Departures;
use ossferry_core::meter::Requests;
use ossferry_core::object::ObjectHeaders;
use ossferry_ledger::LEASE_MARGIN;
use ossferry_ledger::lease::{Change, Taken};
use ossferry_ledger::rows::{
    AbortReason, NextAttempt, Opened, OpeningTurn, RangeRow, UploadRow, UploadState,
};

use super::{At, Upload, Weakening, Worker, World, claimant, etag, id_of};

impl Upload {
    /// `Ledger::take_upload`, and the planner's opening after it.
    pub(super) fn step_planner(&self, world: &mut World, who: usize) {
        let worker = world.workers[who].clone();
        let at = match worker.at {
            At::Turning => match turn(world, who) {
                Some(at) => at,
                None => return world.put_off(who),
            },
            At::Taking => match take(world, who) {
                Some(at) => at,
                None => return world.put_off(who),
            },
            At::BeginningGeneration => {
                let least = world.uploads[worker.generation - 1].first_result_fence();
                let taken = match world.task.begin_generation(least) {
                    Change::Write(row, taken) => {
                        world.task = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                if taken == Taken::Over { At::Acknowledging } else { At::Clearing }
            }
            At::Clearing | At::Pinning | At::Initiating => {
                if world.is_late(who) {
                    return world.put_off(who);
                }
                self.prepare(world, who)
            }
            At::Naming => return self.name(world, who),
            At::Abandoning => {
                let due = world.now.plus(LEASE_MARGIN);
                let due = if self.is(Weakening::NoPause) { world.now } else { due };
                let row = &world.uploads[worker.generation - 1];
                match row.aborted(AbortReason::Ended, worker.hold.as_ref(), due) {
                    Ok(Change::Write(row, _)) => world.uploads[worker.generation - 1] = row,
                    Ok(Change::Keep(_)) => {}
                    Err(_) => return world.give_way(who),
                }
                return world.put_off(who);
            }
            At::PuttingRange => {
                let range = &mut world.ranges[worker.generation - 1];
                if range.is_none() {
                    *range = Some(RangeRow::new(0, 1, 1));
                }
                At::SendingRange
            }
            At::SendingRange => {
                world.visible[worker.generation - 1] += 1;
                At::NotingSent
            }
            At::NotingSent => {
                if let Change::Write(row, ()) = world.uploads[worker.generation - 1].sent(1) {
                    world.uploads[worker.generation - 1] = row;
                }
                At::Acknowledging
            }
            _ => At::Idle,
        };
        world.workers[who].at = at;
        if at == At::Idle {
            world.workers[who] = Worker::idle();
        }
    }

    /// What a planner asks of the target and the source before an attempt is open.
    fn prepare(&self, world: &mut World, who: usize) -> At {
        let worker = world.workers[who].clone();
        match worker.at {
            At::Clearing => {
                let (earlier, row) = world.uploads.split_at(worker.generation - 1);
                let known: Vec<Option<u8>> = earlier.iter().map(id_of).collect();
                let since = row[0].begun_since(earlier);
                for id in known {
                    world.abort(id);
                }
                if let Some(since) = since
                    && !self.is(Weakening::ReopenedWithoutAborting)
                {
                    world.at_target.retain(|upload| upload.began < since);
                }
                At::Pinning
            }
            At::Pinning => {
                world.workers[who].pin = world.source;
                At::Initiating
            }
            _ => {
                world.workers[who].upload_id = world.begin_at_target();
                At::Naming
            }
        }
    }

    fn name(&self, world: &mut World, who: usize) {
        let worker = world.workers[who].clone();
        let opened = Opened {
            upload_id: worker.upload_id.to_string(),
            pinned_etag: etag(worker.pin),
            size: 1,
            part_bytes: 1,
            range_parts: 1,
            ranges: 1,
            headers: ObjectHeaders::default(),
            left_behind: None,
            departures: Departures::default(),
            acl: None,
            source_crc64_ecma: None,
            source_crc64_nvme: None,
            requests: Requests::default(),
        };
        let row = &world.uploads[worker.generation - 1];
        let Some(mut hold) = worker.hold else { return };
        if self.is(Weakening::LatePlannerOpens) {
            hold = row.lease.hold().unwrap_or(hold);
        }
        match row.opened(&hold, &opened) {
            Ok(change) => {
                if let Change::Write(row, ()) = change {
                    world.uploads[worker.generation - 1] = row;
                }
                world.workers[who].at = At::PuttingRange;
            }
            // Whoever took over has aborted what was begun here.
            Err(_) => world.give_way(who),
        }
    }
}

/// Which attempt is due; `None`: none yet.
fn turn(world: &mut World, who: usize) -> Option<At> {
    let attempt = claimant(&world.workers[who].owner, world.workers[who].began);
    if let Change::Write(row, _) = world.task.begin_upload(world.now) {
        world.task = row;
    }
    let now = attempt.now;
    let next = UploadRow::next_attempt(&world.uploads, |lease| lease.until <= now);
    Some(match next {
        _ if world.has_ended() => At::Acknowledging,
        NextAttempt::NotBefore(_) => return None,
        NextAttempt::Generation(generation) => {
            world.workers[who].generation = usize::try_from(generation).expect("few attempts");
            At::Taking
        }
    })
}

/// The turn to open it; `None`: another has it.
fn take(world: &mut World, who: usize) -> Option<At> {
    let worker = world.workers[who].clone();
    let attempt = claimant(&worker.owner, worker.began);
    let first = UploadRow::opening(worker.generation as u64, &attempt, world.now);
    let stored = world.upload(worker.generation).cloned();
    let taken = match first.open_over(stored.as_ref(), &attempt) {
        Change::Write(row, taken) => {
            world.uploads.truncate(worker.generation - 1);
            world.uploads.push(row);
            world.ranges.resize(world.uploads.len(), None);
            world.visible.resize(world.uploads.len(), 0);
            taken
        }
        Change::Keep(taken) => taken,
    };
    let row = &world.uploads[worker.generation - 1];
    Some(match row.opening_turn(&taken) {
        OpeningTurn::NotBefore(_) => return None,
        OpeningTurn::Opened if row.state == UploadState::Open => At::PuttingRange,
        OpeningTurn::Opened => At::Acknowledging,
        OpeningTurn::Open => {
            world.workers[who].hold = row.lease.hold();
            At::BeginningGeneration
        }
    })
}
