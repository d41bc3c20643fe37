//! Fidelity: what becomes of each property of an object when it is copied, by the kind of its source;
//! and, of each copy, how it departs from its source.
//!
//! What holds of every object of a job is told by [`answers()`] and counted nowhere. What differs from object
//! to object stands in its result as [`Departures`], and is summed as outcomes are.

mod answers;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use answers::{Answer, Fate, answers};

/// A property of an object beside its key and its bytes. Numbers are stored: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Property {
    /// `Content-Type`, `-Encoding`, `-Language` and `-Disposition`, `Cache-Control`, `Expires`.
    ContentHeaders = 0,
    /// Names and values of the user's own.
    UserMetadata = 1,
    /// Object tags.
    Tags = 2,
    /// Who may read and write the object.
    Acl = 3,
    /// What it is stored as.
    StorageClass = 4,
    /// Under whose key it is stored.
    Encryption = 5,
    /// When it was written.
    LastModified = 6,
    /// Earlier states of it.
    Versions = 7,
    /// Where a website sends those who ask for it.
    WebsiteRedirect = 8,
    /// What keeps it from being deleted: a retention or a legal hold.
    ObjectLock = 9,
}

impl Property {
    /// Every property, in the order of reports; each stands at its number.
    pub const ALL: [Self; 10] = [
        Self::ContentHeaders,
        Self::UserMetadata,
        Self::Tags,
        Self::Acl,
        Self::StorageClass,
        Self::Encryption,
        Self::LastModified,
        Self::Versions,
        Self::WebsiteRedirect,
        Self::ObjectLock,
    ];

    /// The word in JSON, arguments and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContentHeaders => "content-headers",
            Self::UserMetadata => "user-metadata",
            Self::Tags => "tags",
            Self::Acl => "acl",
            Self::StorageClass => "storage-class",
            Self::Encryption => "encryption",
            Self::LastModified => "last-modified",
            Self::Versions => "versions",
            Self::WebsiteRedirect => "website-redirect",
            Self::ObjectLock => "object-lock",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of properties.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Properties(u16);

impl Properties {
    /// Puts one in.
    pub fn insert(&mut self, property: Property) {
        self.0 |= 1 << property as u8;
    }

    /// Puts one in where `is_so`.
    #[must_use]
    pub fn with(mut self, property: Property, is_so: bool) -> Self {
        if is_so {
            self.insert(property);
        }
        self
    }

    /// Whether it is in.
    pub fn has(self, property: Property) -> bool {
        self.0 & (1 << property as u8) != 0
    }

    /// All that are in, in the order of reports.
    pub fn iter(self) -> impl Iterator<Item = Property> {
        Property::ALL.into_iter().filter(move |property| self.has(*property))
    }
}

/// How one copy departs from its source, as far as that is not so of every object of the job.
///
/// Stored as one number: the properties that were mapped in its lower 16 bits, those that were dropped above.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Departures {
    /// What the copy has in another form.
    pub mapped: Properties,
    /// What the copy has not, or not all of.
    pub dropped: Properties,
}

impl Departures {
    /// Whether the copy is as its source.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl From<u32> for Departures {
    fn from(bits: u32) -> Self {
        // Properties of a later version stay in.
        let half = |bits: u32| Properties(u16::try_from(bits & 0xffff).unwrap_or(0));
        Self { mapped: half(bits), dropped: half(bits >> 16) }
    }
}

impl From<Departures> for u32 {
    fn from(departures: Departures) -> Self {
        Self::from(departures.mapped.0) | Self::from(departures.dropped.0) << 16
    }
}

/// How many copies depart in each property. A property stands by its number, so that rows of a later version
/// that knows more of them are read, and added, all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DepartureCounts {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    mapped: BTreeMap<u8, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    dropped: BTreeMap<u8, u64>,
}

impl DepartureCounts {
    /// Whether nothing departed.
    pub fn is_none(&self) -> bool {
        self.mapped.is_empty() && self.dropped.is_empty()
    }

    /// Counts one copy.
    pub fn count(&mut self, departures: Departures) {
        let (mapped, dropped) = (&mut self.mapped, &mut self.dropped);
        for (counts, properties) in [(mapped, departures.mapped), (dropped, departures.dropped)] {
            for property in properties.iter() {
                *counts.entry(property as u8).or_default() += 1;
            }
        }
    }

    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        for (counts, others) in
            [(&mut self.mapped, &other.mapped), (&mut self.dropped, &other.dropped)]
        {
            for (number, count) in others {
                *counts.entry(*number).or_default() += count;
            }
        }
    }

    /// How many copies depart in a property, where any do, in the order of reports.
    pub fn iter(&self) -> impl Iterator<Item = (Property, Departed)> + '_ {
        let departed = Property::ALL.into_iter().map(|property| {
            let (mapped, dropped) = (self.mapped(property), self.dropped(property));
            (property, Departed { mapped, dropped })
        });
        departed.filter(|(_, departed)| *departed != Departed::default())
    }

    /// Copies that have it in another form.
    pub fn mapped(&self, property: Property) -> u64 {
        self.mapped.get(&(property as u8)).copied().unwrap_or(0)
    }

    /// Copies that have it not, or not all of it.
    pub fn dropped(&self, property: Property) -> u64 {
        self.dropped.get(&(property as u8)).copied().unwrap_or(0)
    }
}

/// How many copies depart in one property. A copy that has some of it in another form and lacks the rest
/// counts in both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Departed {
    /// That have it in another form.
    pub mapped: u64,
    /// That have it not, or not all of it.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departures(mapped: Property, dropped: Property) -> Departures {
        Departures {
            mapped: Properties::default().with(mapped, true),
            dropped: Properties::default().with(dropped, true).with(Property::Acl, false),
        }
    }

    #[test]
    fn stored_numbers_are_frozen() {
        for (number, property) in Property::ALL.into_iter().enumerate() {
            assert_eq!(property as usize, number);
        }
        let bits = u32::from(departures(Property::UserMetadata, Property::Tags));
        assert_eq!(bits, 0x0004_0002);
        assert_eq!(u32::from(Departures::from(0x8000_8001)), 0x8000_8001, "a later version's");
    }

    #[test]
    fn departures_are_counted_by_property_and_added() {
        let mut counts = DepartureCounts::default();
        counts.count(Departures::default());
        assert!(counts.is_none());
        counts.count(departures(Property::UserMetadata, Property::Tags));
        let mut twice = counts.clone();
        twice.add(&counts);
        assert_eq!((twice.mapped(Property::UserMetadata), twice.dropped(Property::Tags)), (2, 2));
        assert_eq!((twice.dropped(Property::UserMetadata), twice.mapped(Property::Tags)), (0, 0));
        let text = serde_json::to_string(&twice).unwrap();
        assert_eq!(text, r#"{"mapped":{"1":2},"dropped":{"2":2}}"#);
        assert_eq!(serde_json::from_str::<DepartureCounts>(&text).unwrap(), twice);
        let later: DepartureCounts = serde_json::from_str(r#"{"dropped":{"40":7}}"#).unwrap();
        twice.add(&later);
        assert!(serde_json::to_string(&twice).unwrap().contains(r#""40":7"#));
    }
}
