//! What a copier does next.

use ossferry_core::meter::Requests;
use ossferry_core::object::ETag;
use ossferry_core::outcome::Outcome;
use ossferry_core::proof::Grade;
use ossferry_core::time::Timestamp;
use ossferry_ledger::lease::{Change, Taken};
use ossferry_ledger::rows::{
    AbortReason, AtTarget, Found, ListRow, PartResult, RangeTurn, UploadState,
};

use super::{At, Copier, LargeObject, Object, Weakening, World, claimant, one};

impl LargeObject {
    /// `Ledger::take_range`.
    fn take(world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let attempt = claimant(&copier.owner, copier.began);
        copier.at = match world.upload.range_turn(false) {
            RangeTurn::Over => At::Acknowledging,
            RangeTurn::GivenUp => At::AskingAgain,
            RangeTurn::Look => At::Looking,
            RangeTurn::Claim => {
                let range = &mut world.ranges[copier.range];
                let taken = match range.claim(&attempt) {
                    Change::Write(row, taken) => {
                        *range = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match taken {
                    Taken::Mine => {
                        copier.hold = range.lease.hold();
                        At::Moving
                    }
                    Taken::Over => At::Looking,
                    Taken::Leased(_) => return world.put_off(who),
                }
            }
        };
    }

    fn record(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let Some(hold) = &copier.hold else { return };
        let range = &mut world.ranges[copier.range];
        let part = PartResult {
            part_number: range.first_part,
            etag: ETag::new("e"),
            crc64_ecma: 0,
            crc64_nvme: None,
        };
        match range.record(hold, &[part], &Requests::default(), Timestamp(0)) {
            Ok(change) => {
                if let Change::Write(row, _) = change {
                    *range = row;
                }
                copier.at = At::Looking;
                if self.is(Weakening::AcknowledgedFirst) {
                    copier.has_message = false;
                }
            }
            Err(_) => world.give_way(who),
        }
    }

    /// The copier's `finish_upload`, up to the claim.
    fn look(&self, world: &mut World, who: usize) {
        let all_done = world.all_done() || self.is(Weakening::RangesNotCounted);
        let copier = &mut world.copiers[who];
        match world.upload.state {
            UploadState::Open if !all_done => copier.at = At::Acknowledging,
            UploadState::Open | UploadState::Completing => {
                let attempt = claimant(&copier.owner, copier.began);
                let taken = match world.upload.claim_completing(&attempt, world.now) {
                    Change::Write(row, taken) => {
                        world.upload = row;
                        taken
                    }
                    Change::Keep(taken) => taken,
                };
                match taken {
                    Taken::Leased(_) => world.put_off(who),
                    Taken::Over => copier.at = At::EndOf,
                    Taken::Mine => {
                        copier.hold = world.upload.lease.hold();
                        copier.result_fence = world.upload.result_fence();
                        copier.at = if all_done { At::Listing } else { At::GivingUp };
                    }
                }
            }
            _ => copier.at = At::EndOf,
        }
    }

    /// A request to the target, whose deadline comes before the lease's end.
    fn ask_target(&self, world: &mut World, who: usize) {
        if world.is_late(who) {
            return world.put_off(who);
        }
        let is_whole = world.all_done();
        let at_target = match world.target.object {
            Object::Nothing => AtTarget::Nothing,
            Object::Ours => AtTarget::Ours,
            Object::Foreign(written) => AtTarget::Another(Some(written)),
        };
        let copier = &mut world.copiers[who];
        copier.at = match copier.at {
            At::Moving if world.task.state.is_final() => At::Acknowledging,
            At::Moving if world.target.is_open => At::Recording,
            At::Moving => match world.upload.state {
                UploadState::Completing | UploadState::Complete => At::Looking,
                _ => {
                    copier.hold = None;
                    At::GivingUp
                }
            },
            At::Listing if !world.target.is_open => At::Searching { is_gone: true },
            At::Listing => At::Checking,
            At::Checking if !self.after_t2 => At::Completing,
            At::Checking if self.is(Weakening::NoLookBeforeWriting) => At::Completing,
            At::Checking => match at_target {
                AtTarget::Nothing => At::Completing,
                AtTarget::Ours => At::Completed,
                AtTarget::Another(_) => At::Concluding,
            },
            At::Completing if world.target.complete(is_whole) => At::Completed,
            At::Completing => At::Searching { is_gone: true },
            At::Searching { is_gone: true } if self.is(Weakening::CompletionWithoutLook) => {
                At::GivingUp
            }
            At::Searching { is_gone } => {
                let target_now = copier.began;
                match world.upload.after_lost_answer(at_target, is_gone, target_now) {
                    Found::Completed => {
                        world.target.is_open = false;
                        At::Completed
                    }
                    Found::Overtaken => At::Concluding,
                    Found::Contested if self.is(Weakening::ContestedIsKept) => At::Concluding,
                    Found::Contested => At::Clearing,
                    Found::Vanished => At::GivingUp,
                    Found::Unclear => return world.put_off(who),
                }
            }
            At::Clearing => {
                world.target.is_open = false;
                At::Searching { is_gone: true }
            }
            At::Concluding => {
                world.target.is_open = false;
                if self.is(Weakening::LateHolderConcludes) {
                    At::Result(Outcome::Kept)
                } else {
                    At::Abandoning
                }
            }
            at => at,
        };
    }

    /// The row of the upload, as its holder writes it.
    fn write_upload(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let hold = copier.hold.clone();
        let (reason, next) = match copier.at {
            At::Completed => {
                let Some(hold) = hold else { return };
                match world.upload.completed(&hold, 0, &ETag::new("t"), Grade::C) {
                    Ok(change) => {
                        if let Change::Write(row, ()) = change {
                            world.upload = row;
                        }
                        copier.at = At::EndOf;
                    }
                    Err(_) => world.give_way(who),
                }
                return;
            }
            At::Abandoning if self.is(Weakening::LateHolderConcludes) => {
                (AbortReason::Ended, At::Acknowledging)
            }
            At::Abandoning => (AbortReason::Ended, At::Result(Outcome::Kept)),
            _ => (AbortReason::Vanished, At::AskingAgain),
        };
        match world.upload.aborted(reason, hold.as_ref(), Timestamp(0)) {
            Ok(change) => {
                if let Change::Write(row, _) = change {
                    world.upload = row;
                }
                let is_own = hold.is_none_or(|hold| hold.fence == world.upload.lease.fence);
                world.copiers[who].at = if is_own { next } else { At::AskingAgain };
            }
            Err(_) => world.give_way(who),
        }
    }

    /// `Ledger::conclude_upload`.
    fn conclude(&self, world: &mut World, who: usize) {
        let copier = &mut world.copiers[who];
        let (at, fence) = (copier.at, copier.result_fence);
        let counts_first = self.is(Weakening::CountedBeforeRecorded);
        match at {
            At::Result(outcome) if !counts_first || world.task.state.is_final() => {
                let row = ListRow { fence, entries: 1 };
                let stored = world.results.get(&fence).map(|(row, _)| row);
                match row.put_over(stored) {
                    Ok(_) => {
                        world.results.insert(fence, (row, outcome));
                        copier.at =
                            if counts_first { At::Acknowledging } else { At::Counting(outcome) };
                    }
                    Err(_) => world.give_way(who),
                }
            }
            At::Result(outcome) | At::Counting(outcome) => {
                match world.task.finish_upload(fence, &one(outcome), world.now) {
                    Change::Keep(false) => world.give_way(who),
                    Change::Write(row, _) => {
                        let fence = copier.hold.as_ref().map(|hold| hold.fence);
                        let is_holder = fence == Some(world.upload.lease.fence);
                        world.usurped |= outcome == Outcome::Kept && !is_holder;
                        world.task = row;
                        copier.at = self.after_counting(outcome);
                    }
                    Change::Keep(true) => copier.at = self.after_counting(outcome),
                }
            }
            _ => {}
        }
    }

    fn after_counting(&self, outcome: Outcome) -> At {
        match outcome {
            _ if self.is(Weakening::CountedBeforeRecorded) => At::Result(outcome),
            Outcome::Kept if self.is(Weakening::LateHolderConcludes) => At::Abandoning,
            _ => At::Acknowledging,
        }
    }

    pub(super) fn step(&self, world: &mut World, who: usize) {
        match world.copiers[who].at {
            At::Idle => {}
            At::Taking => Self::take(world, who),
            At::Recording => self.record(world, who),
            At::Looking => self.look(world, who),
            At::Moving
            | At::Listing
            | At::Checking
            | At::Completing
            | At::Searching { .. }
            | At::Clearing
            | At::Concluding => self.ask_target(world, who),
            At::GivingUp => {
                if world.is_late(who) {
                    return world.put_off(who);
                }
                world.target.is_open = false;
                self.write_upload(world, who);
            }
            At::Completed | At::Abandoning => self.write_upload(world, who),
            At::EndOf => {
                let copier = &mut world.copiers[who];
                copier.result_fence = world.upload.result_fence();
                copier.at = match world.upload.state {
                    UploadState::Complete => At::Result(Outcome::Copied),
                    UploadState::Aborted => At::AskingAgain,
                    _ => At::Acknowledging,
                };
            }
            At::AskingAgain => {
                world.asked_again |= !world.task.state.is_final();
                world.copiers[who].at = At::Acknowledging;
            }
            At::Result(_) | At::Counting(_) => self.conclude(world, who),
            At::Acknowledging => world.copiers[who] = Copier::idle(),
        }
    }
}
