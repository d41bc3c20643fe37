//! What a service refuses.

use std::borrow::Cow;

/// A request that is refused, or one message of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message) }
    }

    /// The same in other words.
    pub(crate) fn because(self, message: String) -> Self {
        Self { message: Cow::Owned(message), ..self }
    }
}

/// Makes a constant of each refusal.
macro_rules! refusals {
    ($($name:ident $status:literal $code:literal $message:literal;)*) => {
        $(pub(crate) const $name: $crate::refusal::Refusal =
            $crate::refusal::Refusal::new($status, $code, $message);)*
    };
}

pub(crate) use refusals;
