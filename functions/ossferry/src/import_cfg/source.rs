//! From ossimport's ten kinds of source to ours.

use super::address;
use super::cfg::{Became, Cfg};
use super::draft::Draft;

/// Keys of a source. Where the kind of source is refused, so are they.
pub(super) const OF_SOURCE: [&str; 11] = [
    "srcAccessKey",
    "srcSecretKey",
    "srcDomain",
    "srcBucket",
    "srcPrefix",
    "appId",
    "httpListFilePath",
    "httpPrefixColumn",
    "relativePathColumn",
    "isDownloadFromCdn",
    "cdnDomain",
];

/// What becomes of a kind of source.
#[derive(Clone, Copy)]
enum Form {
    Folder,
    Oss,
    Cos,
    S3,
    /// This version reads no such source; what to do in its place.
    NotBuilt(&'static str),
}

/// As ossimport spells them: it minds capitals.
const TYPES: [(&str, Form); 10] = [
    ("local", Form::Folder),
    ("oss", Form::Oss),
    (
        "qiniu",
        Form::NotBuilt(
            "Kodo also speaks S3: kind = \"s3-compatible\" with endpoint = \
             \"https://s3.REGION.qiniucs.com\" may do, and was not tried",
        ),
    ),
    (
        "bos",
        Form::NotBuilt(
            "BOS also speaks S3: kind = \"s3-compatible\" with endpoint = \
             \"https://s3.REGION.bcebos.com\" may do, and was not tried",
        ),
    ),
    (
        "ks3",
        Form::NotBuilt(
            "KS3 also speaks S3: kind = \"s3-compatible\" with its endpoint may do, and was not tried",
        ),
    ),
    ("s3", Form::S3),
    (
        "youpai",
        Form::NotBuilt("fetch the files into a folder by UPYUN's own tool, and take srcType=local"),
    ),
    ("http", Form::NotBuilt("fetch the files of the list into a folder, and take srcType=local")),
    ("cos", Form::Cos),
    ("azure", Form::NotBuilt("mount or copy the container into a folder, and take srcType=local")),
];

/// Writes `[source]`.
pub(super) fn read(cfg: &mut Cfg, draft: &mut Draft) {
    let list = TYPES.map(|(name, _)| name).join(", ");
    let Some(name) = cfg.required("srcType", &format!("is required: one of {list}")) else {
        return;
    };
    match TYPES.iter().find(|(known, _)| *known == name) {
        Some((_, Form::Folder)) => folder(cfg, draft),
        Some((_, Form::Oss)) => oss(cfg, draft),
        Some((_, Form::Cos)) => cos(cfg, draft),
        Some((_, Form::S3)) => s3(cfg, draft),
        Some((name, Form::NotBuilt(instead))) => {
            cfg.refuse("srcType", format!("this version has no source for {name}; {instead}"));
            for key in OF_SOURCE {
                cfg.became(key, Became::Refused, "with its srcType");
            }
        }
        None => {
            let near = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
            let remedy = match near {
                Some((near, _)) => format!("is not spelled as ossimport has it: {near}"),
                None => format!("is none of {list}"),
            };
            cfg.refuse("srcType", remedy);
        }
    }
}

fn folder(cfg: &mut Cfg, draft: &mut Draft) {
    cfg.became("srcType", Became::Mapped, "source.kind = \"folder\"");
    draft.source.text("kind", "folder");
    let remedy = "is required: the folder, from the root of the disk";
    let Some(path) = cfg.required("srcPrefix", remedy) else { return };
    draft.source.text("path", &path);
    cfg.became("srcPrefix", Became::Mapped, "source.path: keys begin below it, as in ossimport");
    for key in ["srcAccessKey", "srcSecretKey", "srcDomain", "srcBucket"] {
        cfg.became(key, Became::NotNeeded, "a folder has none");
    }
}

fn oss(cfg: &mut Cfg, draft: &mut Draft) {
    cfg.became("srcType", Became::Kept, "source.kind = \"oss\"");
    draft.source.text("kind", "oss");
    address::oss(cfg, "srcDomain", &mut draft.source);
    bucket(cfg, draft);
    if let Some(prefix) = cfg.text("srcPrefix") {
        let prefix = prefix.trim_start_matches('/');
        draft.source.text("prefix", prefix);
        cfg.became("srcPrefix", Became::Kept, "source.prefix; no key of OSS begins with /");
    }
    credentials(cfg, draft);
}

fn s3(cfg: &mut Cfg, draft: &mut Draft) {
    address::s3(cfg, draft);
    bucket(cfg, draft);
    if let Some(prefix) = cfg.text("srcPrefix") {
        draft.source.text("prefix", &prefix);
        cfg.became("srcPrefix", Became::Kept, "source.prefix");
    }
    credentials(cfg, draft);
}

fn cos(cfg: &mut Cfg, draft: &mut Draft) {
    cfg.became("srcType", Became::Kept, "source.kind = \"cos\"");
    draft.source.text("kind", "cos");
    address::cos(cfg, &mut draft.source);
    cos_bucket(cfg, draft);
    if let Some(prefix) = cfg.text("srcPrefix") {
        // ossimport wants /docs/ where the keys are docs/…
        let keys = prefix.strip_prefix('/').unwrap_or(&prefix);
        if !keys.is_empty() {
            draft.source.text("prefix", keys);
        }
        let note = "source.prefix without the first /, which ossimport asks for and no key has";
        cfg.became("srcPrefix", Became::Mapped, note);
    }
    credentials(cfg, draft);
}

/// A bucket of COS is `NAME-APPID` to all of its present interfaces.
fn cos_bucket(cfg: &mut Cfg, draft: &mut Draft) {
    let Some(bucket) = cfg.required("srcBucket", "is required") else { return };
    let has_id = bucket.rsplit_once('-').is_some_and(|(_, id)| is_app_id(id));
    let id = cfg.text("appId").filter(|id| id != "0");
    let full = match id {
        Some(id) if !is_app_id(&id) => {
            cfg.refuse("appId", "is no APPID, which is a number");
            return;
        }
        Some(id) if bucket.ends_with(&format!("-{id}")) => bucket,
        Some(id) => format!("{bucket}-{id}"),
        None if has_id => bucket,
        None => {
            cfg.refuse("appId", "is required: a bucket of COS is named NAME-APPID");
            return;
        }
    };
    draft.source.text("bucket", &full);
    cfg.became("srcBucket", Became::Mapped, "source.bucket, with the APPID behind it");
    cfg.became("appId", Became::Mapped, "source.bucket ends with it");
}

fn is_app_id(text: &str) -> bool {
    text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn bucket(cfg: &mut Cfg, draft: &mut Draft) {
    let Some(bucket) = cfg.required("srcBucket", "is required") else { return };
    draft.source.text("bucket", &bucket);
    cfg.became("srcBucket", Became::Kept, "source.bucket");
}

/// Names of variables, never a key.
fn credentials(cfg: &mut Cfg, draft: &mut Draft) {
    const NAMES: [(&str, &str); 2] =
        [("srcAccessKey", "SOURCE_ACCESS_KEY"), ("srcSecretKey", "SOURCE_SECRET_KEY")];
    if NAMES.iter().all(|(key, _)| cfg.text(key).is_none()) {
        draft.source.raw("credentials", "{ from = \"anonymous\" }");
        for (key, _) in NAMES {
            cfg.became(key, Became::Mapped, "source.credentials: without a key nothing is signed");
        }
        return;
    }
    draft.source.raw(
        "credentials",
        "{ from = \"env\", access_key = \"SOURCE_ACCESS_KEY\", secret_key = \"SOURCE_SECRET_KEY\" }",
    );
    draft.name_variables(cfg, NAMES);
}

impl Draft {
    /// Says into which variables two keys belong.
    pub(super) fn name_variables(
        &mut self,
        cfg: &mut Cfg,
        names: [(&'static str, &'static str); 2],
    ) {
        for (key, variable) in names {
            if cfg.required(key, "is required beside its other half").is_none() {
                continue;
            }
            let place = cfg.place(key).unwrap_or_default();
            self.variables.push((variable, place));
            let note = format!("stays out of the job file, which names the variable {variable}");
            cfg.became(key, Became::Mapped, note);
        }
    }
}
