//! What befalls messages.

/// Chances are in a thousand, drawn from one seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// The seed.
    pub seed: u64,
    /// Handlers at work at once; one where it is 0.
    pub at_once: usize,
    /// That a message is delivered once more.
    pub doubled: u32,
    /// That the queue does not take a message of a batch, and says so.
    pub refused: u32,
}

/// What has befallen them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mishaps {
    /// Messages delivered once more.
    pub doubled: u64,
    /// Messages that the queue did not take.
    pub refused: u64,
    /// Messages of an earlier pass, delivered during a later one.
    pub outdated: u64,
}
