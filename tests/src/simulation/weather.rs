//! What befalls messages and handlers.

/// What befalls messages and handlers. Chances are in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Handlers at work at once; one where zero.
    pub at_once: usize,
    /// That a message is delivered once or twice more.
    pub doubled: u32,
    /// That a message is never delivered.
    pub lost: u32,
    /// That an acknowledgement is forgotten.
    pub unacknowledged: u32,
    /// That a handler dies at one of its awaits.
    pub deaths: u32,
    /// That a handler stands still past its lease and then goes on.
    pub freezes: u32,
    /// That an invocation has less than a second or two, and hands on what it does not get done.
    pub hurried: u32,
    /// That every worker's clock is set on past every lease.
    pub jumps: u32,
}

impl Weather {
    /// Everything that messages and workers may suffer.
    pub fn foul() -> Self {
        Self {
            at_once: 3,
            doubled: 200,
            lost: 100,
            unacknowledged: 100,
            deaths: 200,
            freezes: 100,
            hurried: 100,
            jumps: 0,
        }
    }
}

/// How often what was drawn has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// Messages never delivered.
    pub lost: u64,
    /// Messages delivered once or twice more.
    pub doubled: u64,
    /// Acknowledgements forgotten.
    pub unacknowledged: u64,
    /// Handlers that died at work.
    pub deaths: u64,
    /// Handlers that stood still past their lease.
    pub freezes: u64,
    /// Clocks set on.
    pub jumps: u64,
}
