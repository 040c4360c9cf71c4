//! How a member of an object gets its key.

use super::schema::Rules;
use super::site::ReadyKey;

/// How a member gets its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// A name given by the user: subject to the clash rule. The number is kept with the key.
    User(&'a str, u32),
    /// `"key":`, known to clash with nothing; `"key":"[redacted]"` if the value is a secret.
    Ready(&'a ReadyKey),
    /// The message, which goes to its place before the fields whenever it comes.
    Message,
    /// Another value for the key at this position, which was given by this name.
    Again(usize, &'a str),
    /// As [`Name::User`], for a member that is not left out for want of room: its value is cut.
    Promised(&'a str, u32),
    /// No key: a bare value.
    Bare,
    /// The schema leaves this member out.
    Hidden,
}

impl Name<'_> {
    /// Whether the value is not to be written.
    pub(super) fn is_secret(self, rules: &Rules) -> bool {
        match self {
            Name::User(name, _) | Name::Again(_, name) | Name::Promised(name, _) => {
                rules.is_redacted(name)
            }
            // Where a call site has a secret, the ready key brings the marker along.
            Name::Ready(key) => key.whole.last() != Some(&b':'),
            Name::Message | Name::Bare | Name::Hidden => false,
        }
    }
}
