//! What the copier does next.

use ossferry_core::meter::Requests;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::sums::Sum;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Taken};
use ossferry_ledger::rows::{AbortReason, PartResult, RangeTurn, UploadState};

use super::{At, COPIER, Upload, Weakening, Worker, World, claimant, etag, id_of, version_of};

impl Upload {
    pub(super) fn step_copier(&self, world: &mut World) {
        let at = world.workers[COPIER].at;
        let asks_target = matches!(at, At::Moving | At::PuttingTogether | At::Aborting(_));
        if asks_target && world.is_late(COPIER) {
            return world.put_off(COPIER);
        }
        let next = match at {
            At::TakingRange => self.take_range(world),
            At::Moving => Some(self.move_part(world)),
            At::Recording => record(world),
            At::Completing => take_completing(world),
            At::PuttingTogether => Some(put_together(world)),
            At::Completed => complete(world),
            At::Concluding => conclude(world),
            At::Aborting(reason) => Some(abort(world, reason)),
            At::GivingUp(reason) => give_up(world, reason),
            At::AskingAgain => {
                world.asked += 1;
                Some(At::Acknowledging)
            }
            _ => {
                world.workers[COPIER] = Worker::idle();
                None
            }
        };
        if let Some(next) = next {
            world.workers[COPIER].at = next;
        }
    }

    /// `Ledger::take_range`.
    fn take_range(&self, world: &mut World) -> Option<At> {
        let worker = world.workers[COPIER].clone();
        let attempt = claimant(&worker.owner, worker.began);
        let place = worker.generation - 1;
        let has_next = world.uploads.len() > worker.generation;
        Some(match world.uploads[place].range_turn(has_next) {
            RangeTurn::Over => At::Acknowledging,
            RangeTurn::GivenUp if self.is(Weakening::NoSecondStep) => At::Acknowledging,
            RangeTurn::GivenUp => At::AskingAgain,
            RangeTurn::Look => At::Completing,
            RangeTurn::Claim => {
                let Some(range) = &mut world.ranges[place] else { return None };
                let taken = match range.claim(&attempt) {
                    Change::Write(row, taken) => {
                        *range = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match taken {
                    Taken::Leased(_) => {
                        world.put_off(COPIER);
                        return None;
                    }
                    Taken::Over => At::Completing,
                    Taken::Mine => {
                        world.workers[COPIER].hold = range.lease.hold();
                        At::Moving
                    }
                }
            }
        })
    }

    /// A read pinned to the version of the attempt, then the write of its part.
    fn move_part(&self, world: &mut World) -> At {
        let place = world.workers[COPIER].generation - 1;
        let row = &world.uploads[place];
        let is_pinned = version_of(row) == Some(world.source);
        let id = id_of(row);
        let upload = world.at_target.iter_mut().find(|upload| Some(upload.id) == id);
        match upload {
            _ if !is_pinned && !self.is(Weakening::ReadNotPinned) => {
                At::Aborting(AbortReason::Changed)
            }
            None => At::Aborting(AbortReason::Vanished),
            Some(upload) => {
                upload.part = world.source;
                At::Recording
            }
        }
    }
}

fn record(world: &mut World) -> Option<At> {
    let worker = world.workers[COPIER].clone();
    let place = world.workers[COPIER].generation - 1;
    let (Some(range), Some(hold)) = (&world.ranges[place], &worker.hold) else {
        return None;
    };
    let (part_number, crc64_nvme) = (1, None);
    let part = PartResult { part_number, etag: etag(1), crc64_ecma: 0, crc64_nvme };
    if let Ok(change) = range.record(hold, &[part], &Requests::default(), Timestamp(0)) {
        if let Change::Write(row, _) = change {
            world.ranges[place] = Some(row);
        }
        return Some(At::Completing);
    }
    world.give_way(COPIER);
    None
}

fn take_completing(world: &mut World) -> Option<At> {
    let attempt = claimant(&world.workers[COPIER].owner, world.workers[COPIER].began);
    let place = world.workers[COPIER].generation - 1;
    let taken = match world.uploads[place].claim_completing(&attempt, world.now) {
        Change::Write(row, taken) => {
            world.uploads[place] = row;
            taken
        }
        Change::Keep(taken) => taken,
    };
    Some(match (taken, world.uploads[place].state) {
        (Taken::Leased(_), _) => {
            world.put_off(COPIER);
            return None;
        }
        (Taken::Over, UploadState::Complete) => At::Concluding,
        (Taken::Over, UploadState::Aborted) => At::AskingAgain,
        (Taken::Over, _) => At::Acknowledging,
        (Taken::Mine, _) => {
            world.workers[COPIER].hold = world.uploads[place].lease.hold();
            At::PuttingTogether
        }
    })
}

/// The request that publishes the object, or the look for one whose answer was lost.
fn put_together(world: &mut World) -> At {
    let place = world.workers[COPIER].generation - 1;
    let id = id_of(&world.uploads[place]);
    let version = version_of(&world.uploads[place]);
    let found = world.at_target.iter().find(|upload| Some(upload.id) == id);
    match found.map(|upload| upload.part) {
        Some(part) => {
            world.object = part;
            world.abort(id);
            At::Completed
        }
        // What was put together before is found by a look.
        None if Some(world.object) == version => At::Completed,
        None => At::GivingUp(AbortReason::Vanished),
    }
}

fn complete(world: &mut World) -> Option<At> {
    let worker = world.workers[COPIER].clone();
    let place = world.workers[COPIER].generation - 1;
    let Some(hold) = &worker.hold else { return None };
    match world.uploads[place].completed(hold, 0, &etag(1), Grade::C) {
        Ok(Change::Write(row, ())) => world.uploads[place] = row,
        Ok(Change::Keep(())) => {}
        Err(_) => {
            world.give_way(COPIER);
            return None;
        }
    }
    Some(At::Concluding)
}

fn conclude(world: &mut World) -> Option<At> {
    let place = world.workers[COPIER].generation - 1;
    let mut sum = Sum::default();
    sum.count(Outcome::Copied, 1, None);
    let fence = world.uploads[place].result_fence();
    match world.task.finish_upload(fence, &sum, world.now) {
        Change::Write(row, _) => world.task = row,
        Change::Keep(true) => {}
        Change::Keep(false) => {
            world.give_way(COPIER);
            return None;
        }
    }
    Some(At::Acknowledging)
}

fn abort(world: &mut World, reason: AbortReason) -> At {
    let place = world.workers[COPIER].generation - 1;
    let id = id_of(&world.uploads[place]);
    world.abort(id);
    // While ranges are at work nobody holds the upload.
    world.workers[COPIER].hold = None;
    At::GivingUp(reason)
}

fn give_up(world: &mut World, reason: AbortReason) -> Option<At> {
    let worker = world.workers[COPIER].clone();
    let place = world.workers[COPIER].generation - 1;
    let hold = worker.hold.as_ref();
    match world.uploads[place].aborted(reason, hold, Timestamp(0)) {
        Ok(Change::Write(row, _)) => world.uploads[place] = row,
        Ok(Change::Keep(Some(_))) => {}
        Ok(Change::Keep(None)) => {
            world.workers[COPIER].at = At::Acknowledging;
            return None;
        }
        Err(_) => {
            world.give_way(COPIER);
            return None;
        }
    }
    Some(At::AskingAgain)
}
