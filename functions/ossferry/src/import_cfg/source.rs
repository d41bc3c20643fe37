//! From ossimport's ten kinds of source to ours.

use super::address;
use super::cfg::{Became, Cfg};
use super::draft::Draft;

/// Keys of a source.
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

/// Halves of a key, and the variables that they belong into.
const NAMES: [(&str, &str); 2] =
    [("srcAccessKey", "SOURCE_ACCESS_KEY"), ("srcSecretKey", "SOURCE_SECRET_KEY")];

/// What becomes of a kind of source.
#[derive(Clone, Copy)]
enum Form {
    Folder,
    Oss,
    Cos,
    S3,
    Kodo,
    /// By its own S3 dialect: our kind, and the address of a region before and after its name.
    Dialect(&'static str, &'static [(&'static str, &'static str)]),
    UrlList,
    Azure,
    Upyun,
}

/// As ossimport spells them: it minds capitals.
const TYPES: [(&str, Form); 10] = [
    ("local", Form::Folder),
    ("oss", Form::Oss),
    ("qiniu", Form::Kodo),
    ("bos", Form::Dialect("bos", &[("s3.", ".bcebos.com"), ("", ".bcebos.com")])),
    ("ks3", Form::Dialect("ks3", &[("ks3-", ".ksyun.com"), ("ks3-", ".ksyuncs.com")])),
    ("s3", Form::S3),
    ("youpai", Form::Upyun),
    ("http", Form::UrlList),
    ("cos", Form::Cos),
    ("azure", Form::Azure),
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
        Some((_, Form::Kodo)) => dialect(cfg, draft, "kodo", address::kodo),
        Some((_, Form::Dialect(kind, hosts))) => dialect(cfg, draft, kind, |cfg, draft| {
            address::dialect(cfg, &mut draft.source, hosts);
        }),
        Some((_, Form::UrlList)) => url_list(cfg, draft),
        Some((_, Form::Azure)) => azure(cfg, draft),
        Some((_, Form::Upyun)) => upyun(cfg, draft),
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

/// A store by its own S3 dialect; `place` writes where it is.
fn dialect(cfg: &mut Cfg, draft: &mut Draft, kind: &str, place: impl FnOnce(&mut Cfg, &mut Draft)) {
    let note =
        format!("source.kind = \"{kind}\", by its S3 dialect; no such store was tried: check");
    cfg.became("srcType", Became::Mapped, note);
    draft.source.text("kind", kind);
    place(cfg, draft);
    bucket(cfg, draft);
    if let Some(prefix) = cfg.text("srcPrefix") {
        draft.source.text("prefix", &prefix);
        cfg.became("srcPrefix", Became::Kept, "source.prefix");
    }
    credentials(cfg, draft);
}

fn upyun(cfg: &mut Cfg, draft: &mut Draft) {
    let note = "source.kind = \"upyun\", by its REST interface; no such store was tried: check";
    cfg.became("srcType", Became::Mapped, note);
    draft.source.text("kind", "upyun");
    address::upyun(cfg, &mut draft.source);
    bucket(cfg, draft);
    if let Some(prefix) = cfg.text("srcPrefix") {
        draft.source.text("prefix", prefix.trim_start_matches('/'));
        cfg.became("srcPrefix", Became::Kept, "source.prefix; no key begins with /");
    }
    let note =
        "files are read from the storage itself; where UPYUN limits that, limits.source does";
    for key in ["isDownloadFromCdn", "cdnDomain"] {
        cfg.became(key, Became::NotNeeded, note);
    }
    // Nobody is answered without a signature.
    by_variables(cfg, draft);
}

fn url_list(cfg: &mut Cfg, draft: &mut Draft) {
    cfg.became("srcType", Became::Kept, "source.kind = \"http\"");
    draft.source.text("kind", "http");
    let remedy = "is required: the file that lists the URLs";
    let Some(list) = cfg.required("httpListFilePath", remedy) else { return };
    if list.contains("://") && list.contains(['?', '#', '@']) {
        cfg.refuse(
            "httpListFilePath",
            "is an address that may hold a secret: fetch the list first",
        );
        return;
    }
    draft.source.text("list", &list);
    cfg.became("httpListFilePath", Became::Mapped, "source.list");
    draft.source.text("format", "ossimport");
    for (key, ours) in [("httpPrefixColumn", "url_column"), ("relativePathColumn", "key_column")] {
        let Some(column) = cfg.text(key) else { continue };
        let Some(number) = column.parse().ok().filter(|number| (1..=100).contains(number)) else {
            cfg.refuse(key, "is no column: they are counted from 1");
            continue;
        };
        draft.source.whole(ours, number);
        cfg.became(key, Became::Mapped, format!("source.{ours}"));
    }
    let columns = ["httpPrefixColumn", "relativePathColumn"].map(|key| cfg.text(key));
    let [url, key] = [(0, "1"), (1, "2")]
        .map(|(index, usual): (usize, &str)| columns[index].as_deref().unwrap_or(usual));
    if url == key {
        cfg.refuse("relativePathColumn", "is the column of the URL as well");
    }
    for key in ["srcAccessKey", "srcSecretKey", "srcDomain", "srcBucket", "srcPrefix"] {
        cfg.became(key, Became::NotNeeded, "a list of URLs has none");
    }
}

fn azure(cfg: &mut Cfg, draft: &mut Draft) {
    cfg.became("srcType", Became::Kept, "source.kind = \"azure\"");
    draft.source.text("kind", "azure");
    let remedy = "is required: the storage account";
    let Some(account) = cfg.required("srcAccessKey", remedy) else { return };
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(3..=24).contains(&account.len()) || !account.bytes().all(is_name) {
        cfg.refuse("srcAccessKey", "is no storage account: small letters and digits, 3 to 24");
        return;
    }
    draft.source.text("account", &account);
    cfg.became("srcAccessKey", Became::Mapped, "source.account, which is no secret");
    address::azure(cfg, &account, &mut draft.source);
    if let Some(container) = cfg.required("srcBucket", "is required: the container") {
        draft.source.text("container", &container);
        cfg.became("srcBucket", Became::Mapped, "source.container");
    }
    if let Some(prefix) = cfg.text("srcPrefix") {
        draft.source.text("prefix", &prefix);
        cfg.became("srcPrefix", Became::Kept, "source.prefix");
    }
    draft.source.raw("credentials", "{ from = \"azure-key\", key = \"SOURCE_SECRET_KEY\" }");
    draft.name_variables(cfg, [("srcSecretKey", "SOURCE_SECRET_KEY")]);
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
    if NAMES.iter().all(|(key, _)| cfg.text(key).is_none()) {
        draft.source.raw("credentials", "{ from = \"anonymous\" }");
        for (key, _) in NAMES {
            cfg.became(key, Became::Mapped, "source.credentials: without a key nothing is signed");
        }
        return;
    }
    by_variables(cfg, draft);
}

fn by_variables(cfg: &mut Cfg, draft: &mut Draft) {
    draft.source.raw(
        "credentials",
        "{ from = \"env\", access_key = \"SOURCE_ACCESS_KEY\", secret_key = \"SOURCE_SECRET_KEY\" }",
    );
    draft.name_variables(cfg, NAMES);
}

impl Draft {
    /// Says into which variables keys belong.
    pub(super) fn name_variables<const COUNT: usize>(
        &mut self,
        cfg: &mut Cfg,
        names: [(&'static str, &'static str); COUNT],
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
