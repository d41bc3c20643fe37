//! From ossimport's keys of the target to ours.

use super::address;
use super::cfg::{Became, Cfg};
use super::draft::Draft;

/// Writes `[target]`.
pub(super) fn read(cfg: &mut Cfg, draft: &mut Draft) {
    address::oss(cfg, "destDomain", &mut draft.target);
    if let Some(bucket) = cfg.required("destBucket", "is required") {
        draft.target.text("bucket", &bucket);
        cfg.became("destBucket", Became::Kept, "target.bucket");
    }
    if let Some(prefix) = cfg.text("destPrefix") {
        draft.target.text("prefix", &prefix);
        let note = if prefix.ends_with('/') {
            "target.prefix"
        } else {
            "target.prefix; it does not end with /, so that names go on right behind it, as in ossimport"
        };
        cfg.became("destPrefix", Became::Kept, note);
    }
    draft.target.raw(
        "credentials",
        "{ from = \"env\", access_key = \"OSS_ACCESS_KEY_ID\", secret_key = \"OSS_ACCESS_KEY_SECRET\" }",
    );
    draft.name_variables(
        cfg,
        [("destAccessKey", "OSS_ACCESS_KEY_ID"), ("destSecretKey", "OSS_ACCESS_KEY_SECRET")],
    );
    match cfg.flag("isServerSideEncryption") {
        Some(true) => {
            draft.target.text("encryption", "AES256");
            cfg.became("isServerSideEncryption", Became::Mapped, "target.encryption = \"AES256\"");
        }
        Some(false) => {
            let note = "what the bucket asks for is done without a word here";
            cfg.became("isServerSideEncryption", Became::NotNeeded, note);
        }
        None => {}
    }
}
