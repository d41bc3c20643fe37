//! How archived objects of the source are asked to be restored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::Section;

/// Days that any store keeps a restored copy, at most as its console offers.
const DAYS_MAX: u64 = 365;

/// What is asked for of an archived object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSpec {
    /// How long the restored copy can be read. The store bills it meanwhile.
    pub days: u32,
    /// How soon, and at which price.
    pub tier: RestoreTier,
}

/// How soon a store restores. The names are those of S3, COS and OSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreTier {
    /// Within minutes to an hour, at the highest price. Not for the deepest classes.
    Expedited,
    /// Within hours.
    Standard,
    /// Within half a day to two days, at the lowest price.
    Bulk,
}

impl RestoreTier {
    /// As requests and the job file spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expedited => "Expedited",
            Self::Standard => "Standard",
            Self::Bulk => "Bulk",
        }
    }

    /// How long an object is left alone before it is looked at again: each look is two requests.
    pub fn pause(self) -> Duration {
        match self {
            Self::Expedited => Duration::from_mins(2),
            Self::Standard => Duration::from_mins(30),
            Self::Bulk => Duration::from_hours(2),
        }
    }
}

impl RestoreSpec {
    /// The document of a request to restore. `parameters` is the store's name for what holds the tier;
    /// without one the class knows no tiers.
    pub fn document(&self, parameters: Option<&str>) -> String {
        let Self { days, tier } = self;
        let tier = parameters.map_or_else(String::new, |name| {
            format!("<{name}><Tier>{}</Tier></{name}>", tier.as_str())
        });
        format!("<RestoreRequest><Days>{days}</Days>{tier}</RestoreRequest>")
    }
}

/// Reads `restore = { days = 3, tier = "Standard" }`.
pub(super) fn read(
    mut section: Section<'_, '_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<RestoreSpec> {
    if section.is_absent() {
        return None;
    }
    let tiers = [RestoreTier::Expedited, RestoreTier::Standard, RestoreTier::Bulk];
    let days = section.whole("days", 1, DAYS_MAX, mistakes);
    if days.is_none() && !mistakes.know(&section.full("days")) {
        let remedy = "write restore = { days = 3, tier = \"Standard\" }";
        mistakes.add(section.at(), section.full("days"), "is required", remedy);
    }
    let tier = section.word("tier", &tiers.map(|tier| (tier.as_str(), tier)), mistakes);
    section.finish(&[], mistakes);
    let days = u32::try_from(days?.value).unwrap_or(u32::MAX);
    Some(RestoreSpec { days, tier: tier.map_or(RestoreTier::Standard, |found| found.value) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    fn job(line: &str) -> Result<Job, String> {
        let text = Job::template().replace("[target]", &format!("{line}\n[target]"));
        Job::parse(&text).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_restoration_is_asked_for_by_days_and_tier_and_is_no_part_of_the_scope() {
        let plain = job("").unwrap();
        assert_eq!(plain.source.restore(), None);
        assert!(!plain.to_json().contains("restore"), "definitions stand as they were stored");
        let job = job("restore = { days = 3, tier = \"Bulk\" }").unwrap();
        let want = RestoreSpec { days: 3, tier: RestoreTier::Bulk };
        assert_eq!(job.source.restore(), Some(&want));
        assert_eq!(Job::from_json(&job.to_json()).unwrap(), job);
        assert_eq!(job.scope_hash(), plain.scope_hash());
    }

    #[test]
    fn what_makes_no_restoration_is_refused_with_a_remedy() {
        for (line, named) in [
            ("restore = { tier = \"Bulk\" }", "source.restore.days"),
            ("restore = { days = 0 }", "source.restore.days"),
            ("restore = { days = 1, tier = \"Fast\" }", "Expedited"),
            ("restore = true", "want a table"),
        ] {
            let errors = job(line).unwrap_err();
            assert!(errors.contains(named), "{line}: {errors}");
        }
    }

    #[test]
    fn the_document_names_the_tier_where_the_class_has_any() {
        let wanted = RestoreSpec { days: 7, tier: RestoreTier::Standard };
        let with = "<RestoreRequest><Days>7</Days><JobParameters><Tier>Standard</Tier>\
                    </JobParameters></RestoreRequest>";
        assert_eq!(wanted.document(Some("JobParameters")), with);
        assert_eq!(wanted.document(None), "<RestoreRequest><Days>7</Days></RestoreRequest>");
    }
}
