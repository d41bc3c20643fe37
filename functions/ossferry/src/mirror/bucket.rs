//! The rule in the bucket, and its row: read, change, look again.
//!
//! OSS replaces a website configuration without a condition. So what stood before is kept in the row
//! first, the bucket is read again right before it is written, and looked at right after.

use ossferry_aliyun::oss::{MirrorRule, OssClient, Website};
use ossferry_ledger::Ledger;
use ossferry_ledger::ids::JobName;
use ossferry_ledger::rows::{MirrorRow, MirrorState};

use super::rule::MirrorRefusal;
use crate::command_error::CommandError;

/// The mirror rule of one job.
pub(crate) struct Mirror<'a> {
    /// Where the row stands.
    pub(crate) ledger: &'a Ledger,
    /// Which job.
    pub(crate) job: &'a JobName,
    /// The target.
    pub(crate) client: &'a OssClient,
}

/// What row and bucket say of the rule.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The row.
    pub(crate) row: Option<MirrorRow>,
    /// Whether the bucket holds the rule.
    pub(crate) in_bucket: bool,
    /// Whether the configuration is another than stood after the rule was written.
    pub(crate) changed_since: bool,
}

impl Standing {
    /// Whether the rule serves.
    pub(crate) fn is_on(&self) -> bool {
        self.in_bucket && self.row.as_ref().is_some_and(|row| row.state == MirrorState::On)
    }
}

impl Mirror<'_> {
    /// Looks, and writes nothing.
    pub(crate) async fn look(&self) -> Result<Standing, CommandError> {
        let row = self.ledger.mirror(self.job).await?;
        let website = self.website().await?.1;
        let in_bucket = row.as_ref().is_some_and(|row| website.has(row.rule_number, &row.url));
        let changed_since = row.as_ref().is_some_and(|row| {
            row.state == MirrorState::On && row.written.as_ref() != Some(&website.digest())
        });
        Ok(Standing { row, in_bucket, changed_since })
    }

    /// Writes the rule, or finds it written. May be repeated, also after a crash anywhere.
    pub(crate) async fn turn_on(&self, rule: &MirrorRule) -> Result<MirrorRow, CommandError> {
        let row = self.ledger.mirror(self.job).await?;
        let (document, website) = self.website().await?;
        if let Some(row) = &row
            && website.has(row.rule_number, &row.url)
        {
            if row.url != rule.url {
                return Err(MirrorRefusal::OtherOrigin { url: row.url.clone() }.into());
            }
            return match row.state {
                MirrorState::On => Ok(row.clone()),
                _ => self.note_on(row, &website).await,
            };
        }
        let mut next = website.clone();
        let rule_number = next.add(rule).map_err(MirrorRefusal::from)?;
        let turning = MirrorRow {
            state: MirrorState::TurningOn,
            bucket: self.client.bucket().to_owned(),
            rule_number,
            url: rule.url.clone(),
            before: document.clone(),
            written: None,
            at: self.ledger.now(),
        };
        self.put_row(row.as_ref(), &turning).await?;
        self.write(document.as_deref(), Some(&next.document())).await?;
        self.note_on(&turning, &self.website().await?.1).await
    }

    /// Puts the configuration back as it stood before the rule. Where it was changed since, only with
    /// `rule_only` the rule alone is taken out of what stands.
    pub(crate) async fn turn_off(&self, rule_only: bool) -> Result<MirrorRow, CommandError> {
        let row = self.ledger.mirror(self.job).await?.ok_or(MirrorRefusal::NeverOn)?;
        let (document, mut website) = self.website().await?;
        if website.has(row.rule_number, &row.url) {
            let is_untouched = match &row.written {
                Some(written) => *written == website.digest(),
                None => is_only_ours(&row, &website)?,
            };
            if is_untouched {
                self.write(document.as_deref(), row.before.as_deref()).await?;
            } else if rule_only {
                website.remove(row.rule_number, &row.url);
                website.check_secrets().map_err(MirrorRefusal::from)?;
                let next = (!website.is_empty()).then(|| website.document());
                self.write(document.as_deref(), next.as_deref()).await?;
            } else {
                let remedy = "take only the rule out with: ossferry mirror off --rule-only";
                return Err(self.changed("since the rule was added", remedy));
            }
            if self.website().await?.1.has(row.rule_number, &row.url) {
                return Err(self.changed("meanwhile", "try again"));
            }
        }
        let off = MirrorRow { state: MirrorState::Off, at: self.ledger.now(), ..row.clone() };
        if row.state != MirrorState::Off {
            self.put_row(Some(&row), &off).await?;
        }
        Ok(off)
    }

    /// What stands, as it was answered and as it is read.
    async fn website(&self) -> Result<(Option<String>, Website), CommandError> {
        let document = self.client.bucket_website().await.map_err(CommandError::Target)?;
        let website = Website::read(document.as_deref()).map_err(MirrorRefusal::from)?;
        Ok((document, website))
    }

    /// Writes a configuration, or none, over exactly what was read.
    async fn write(&self, read: Option<&str>, next: Option<&str>) -> Result<(), CommandError> {
        let stands = self.client.bucket_website().await.map_err(CommandError::Target)?;
        if stands.as_deref() != read {
            return Err(self.changed("meanwhile", "try again"));
        }
        let written = match next {
            Some(document) => self.client.put_bucket_website(document).await,
            None => self.client.delete_bucket_website().await,
        };
        written.map_err(CommandError::Target)
    }

    /// Notes that the bucket holds the rule and nothing else new.
    async fn note_on(&self, row: &MirrorRow, website: &Website) -> Result<MirrorRow, CommandError> {
        let is_whole = website.has(row.rule_number, &row.url) && is_only_ours(row, website)?;
        if !is_whole {
            let remedy = "look at the bucket, take the rule out with: ossferry mirror off \
                          --rule-only, and turn it on again";
            return Err(self.changed("while the rule was added", remedy));
        }
        let written = Some(website.digest());
        let on =
            MirrorRow { state: MirrorState::On, written, at: self.ledger.now(), ..row.clone() };
        self.put_row(Some(row), &on).await?;
        Ok(on)
    }

    async fn put_row(
        &self,
        read: Option<&MirrorRow>,
        next: &MirrorRow,
    ) -> Result<(), CommandError> {
        let is_put = self.ledger.put_mirror(self.job, read, next).await?;
        is_put.then_some(()).ok_or_else(|| MirrorRefusal::Raced.into())
    }

    fn changed(&self, when: &'static str, remedy: &'static str) -> CommandError {
        let bucket = self.client.bucket().to_owned();
        MirrorRefusal::Changed { bucket, when, remedy }.into()
    }
}

/// Whether the configuration without the rule is what stood before it.
fn is_only_ours(row: &MirrorRow, website: &Website) -> Result<bool, CommandError> {
    let before = Website::read(row.before.as_deref()).map_err(MirrorRefusal::from)?;
    let mut rest = website.clone();
    rest.remove(row.rule_number, &row.url);
    Ok(rest.digest() == before.digest() || (rest.is_empty() && before.is_empty()))
}
