//! From ossimport's domains to addresses and regions.

use super::cfg::{Became, Cfg};
use super::draft::{Blank, Draft, Lines};

/// Short names of regions that older templates of ossimport have.
const COS_REGIONS: [(&str, &str); 3] =
    [("gz", "ap-guangzhou"), ("sh", "ap-shanghai"), ("tj", "ap-beijing-1")];

/// An address or region as a job file takes it: what a message or a file may repeat.
fn is_plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte);
    text.bytes().all(allowed)
}

/// The host, without scheme, port and the slash at the end.
fn host(domain: &str) -> String {
    let host = domain.split_once("://").map_or(domain, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.to_ascii_lowercase()
}

/// An endpoint of OSS, without its bucket.
pub(super) fn oss(cfg: &mut Cfg, key: &str, lines: &mut Lines) {
    let remedy = "is required: the endpoint without the bucket, as in oss-cn-hangzhou.aliyuncs.com";
    let Some(domain) = cfg.required(key, remedy) else { return };
    if !is_plain(&domain) {
        cfg.refuse(key, "is no address");
        return;
    }
    let host = host(&domain);
    let Some(name) = host.strip_suffix(".aliyuncs.com") else {
        cfg.refuse(
            key,
            "names no region: write the endpoint of the region, as in oss-cn-hangzhou.aliyuncs.com",
        );
        return;
    };
    if name.contains(".oss-") {
        cfg.refuse(key, "holds the bucket: write the endpoint without it");
        return;
    }
    // vpc100-oss-… is the older name of the internal address.
    let (name, is_old_internal) = match name.strip_prefix("vpc100-") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let Some(region) = name.strip_prefix("oss-").filter(|region| !region.contains('.')) else {
        cfg.refuse(key, "is no endpoint of OSS, which begins with oss-");
        return;
    };
    let (region, is_internal) = match region.strip_suffix("-internal") {
        Some(region) => (region, true),
        None => (region, is_old_internal),
    };
    if region.starts_with("accelerate") {
        cfg.refuse(key, "names no region: write the endpoint of the region");
        return;
    }
    lines.text("region", region);
    let mut note = format!("region = \"{region}\"");
    if is_internal {
        lines.text("endpoint", &format!("https://oss-{region}-internal.aliyuncs.com"));
        note.push_str(" and its internal endpoint, reached only from inside that region");
    }
    cfg.became(key, Became::Mapped, note);
}

/// A region of COS.
pub(super) fn cos(cfg: &mut Cfg, lines: &mut Lines) {
    let remedy = "is required: the region, as in ap-guangzhou";
    let Some(domain) = cfg.required("srcDomain", remedy) else { return };
    if !is_plain(&domain) {
        cfg.refuse("srcDomain", "is no region of COS");
        return;
    }
    let host = host(&domain);
    let host = host.strip_suffix(".myqcloud.com").unwrap_or(&host);
    let name = host.strip_prefix("cos.").unwrap_or(host);
    let region = COS_REGIONS.iter().find(|(short, _)| *short == name).map(|(_, region)| *region);
    let became = if region.is_some() || name != domain { Became::Mapped } else { Became::Kept };
    let region = region.unwrap_or(name);
    if !region.contains('-') || region.contains(['.', '/']) {
        cfg.refuse("srcDomain", "is no region of COS, which is spelled as in ap-guangzhou");
        return;
    }
    lines.text("region", region);
    cfg.became("srcDomain", became, "source.region");
}

/// Amazon's S3 by its region, any other store by its address.
pub(super) fn s3(cfg: &mut Cfg, draft: &mut Draft) {
    let remedy = "is required: the endpoint, as in s3.eu-central-1.amazonaws.com";
    let Some(domain) = cfg.required("srcDomain", remedy) else { return };
    if !is_plain(&domain) {
        cfg.refuse("srcDomain", "is no address");
        return;
    }
    let host = host(&domain);
    let amazon = host.strip_suffix(".cn").unwrap_or(&host).strip_suffix(".amazonaws.com");
    let Some(name) = amazon else {
        cfg.became(
            "srcType",
            Became::Mapped,
            "source.kind = \"s3-compatible\": not Amazon's address",
        );
        draft.source.text("kind", "s3-compatible");
        draft.source.text("endpoint", &domain);
        let note = "source.endpoint; where the store lists keys by their bytes, add listing_order = \
                    \"bytes\", and key ranges are walked at once";
        cfg.became("srcDomain", Became::Kept, note);
        return;
    };
    let region = if name == "s3" {
        "us-east-1"
    } else {
        let name = name.strip_prefix("s3").unwrap_or_default();
        let name = name.strip_prefix(".dualstack").unwrap_or(name);
        name.strip_prefix(['.', '-']).unwrap_or_default()
    };
    if region.is_empty() || region.contains('.') {
        cfg.refuse("srcDomain", "names no region: write it as in s3.eu-central-1.amazonaws.com");
        return;
    }
    cfg.became("srcType", Became::Kept, "source.kind = \"s3\"");
    draft.source.text("kind", "s3");
    draft.source.text("region", region);
    let note = match name {
        "s3" => {
            "source.region = \"us-east-1\", which this address stands for; check says where it is"
        }
        _ => "source.region, which has the address",
    };
    cfg.became("srcDomain", Became::Mapped, note);
}

/// The region of a store whose address is one of these, before and after the region's name.
pub(super) fn dialect(cfg: &mut Cfg, lines: &mut Lines, hosts: &[(&str, &str)]) {
    let example = hosts.first().map(|(before, after)| format!("{before}REGION{after}"));
    let example = example.unwrap_or_default();
    let remedy = format!("is required: the endpoint, as in {example}");
    let Some(domain) = cfg.required("srcDomain", &remedy) else { return };
    let Some(region) = region_of(&host(&domain), hosts) else {
        cfg.refuse("srcDomain", format!("names no region: write it as in {example}"));
        return;
    };
    lines.text("region", &region);
    cfg.became("srcDomain", Became::Mapped, "source.region, which has the address");
}

fn region_of(host: &str, hosts: &[(&str, &str)]) -> Option<String> {
    hosts.iter().find_map(|(before, after)| {
        let region = host.strip_suffix(after)?.strip_prefix(before)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (!region.is_empty() && region.bytes().all(allowed)).then(|| region.to_owned())
    })
}

/// The region of a bucket of Kodo. ossimport has the bucket's own domain, which says none; only where
/// somebody wrote the address of the S3 dialect is it known.
pub(super) fn kodo(cfg: &mut Cfg, draft: &mut Draft) {
    const HOSTS: [(&str, &str); 2] = [("s3-", ".qiniucs.com"), ("s3.", ".qiniucs.com")];
    let region = cfg.text("srcDomain").and_then(|domain| region_of(&host(&domain), &HOSTS));
    if let Some(region) = region {
        draft.source.text("region", &region);
        cfg.became("srcDomain", Became::Mapped, "source.region, which has the address");
        return;
    }
    draft.source.blank(Blank::KODO_REGION);
    draft.blank = Some(Blank::KODO_REGION);
    let note = "source.region: this is the bucket's own domain, which says none; the job file is refused \
                until its line is written";
    cfg.became("srcDomain", Became::ToFillIn, note);
}

/// One of UPYUN's addresses, each of a carrier.
pub(super) fn upyun(cfg: &mut Cfg, lines: &mut Lines) {
    let Some(domain) = cfg.text("srcDomain") else { return };
    let host = host(&domain);
    if !is_plain(&host) || !host.ends_with(".api.upyun.com") {
        cfg.refuse("srcDomain", "is no address of UPYUN's interface, as in v0.api.upyun.com");
        return;
    }
    lines.text("endpoint", &format!("https://{host}"));
    cfg.became("srcDomain", Became::Mapped, "source.endpoint, by https");
}

/// The account's address in a cloud of Azure that is not the common one.
pub(super) fn azure(cfg: &mut Cfg, account: &str, lines: &mut Lines) {
    let Some(suffix) = cfg.text("srcDomain") else { return };
    let suffix = host(&suffix);
    let suffix = suffix.strip_prefix("blob.").unwrap_or(&suffix);
    if !is_plain(suffix) || !suffix.contains('.') {
        cfg.refuse("srcDomain", "is no suffix of endpoints, as in core.chinacloudapi.cn");
        return;
    }
    lines.text("endpoint", &format!("https://{account}.blob.{suffix}"));
    cfg.became("srcDomain", Became::Mapped, "source.endpoint, with the account in front");
}
