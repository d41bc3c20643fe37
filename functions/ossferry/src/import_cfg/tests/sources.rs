//! Where a source is and how it is read: addresses, regions, prefixes and keys.

use ossferry_core::job::{Credentials, Job, SourceSpec};

use super::super::cfg::Became;
use super::{assert_parses, fate, job, with};

#[test]
fn addresses_become_regions() {
    for (lines, kind, region, endpoint) in [
        ("", "oss", "cn-beijing", "https://oss-cn-beijing.aliyuncs.com"),
        (
            "srcDomain=http://vpc100-oss-cn-beijing.aliyuncs.com/\n",
            "oss",
            "cn-beijing",
            "https://oss-cn-beijing-internal.aliyuncs.com",
        ),
        (
            "srcType=s3\nsrcDomain=s3.amazonaws.com\n",
            "s3",
            "us-east-1",
            "https://s3.us-east-1.amazonaws.com",
        ),
        (
            "srcType=s3\nsrcDomain=https://s3.cn-north-1.amazonaws.com.cn\n",
            "s3",
            "cn-north-1",
            "https://s3.cn-north-1.amazonaws.com.cn",
        ),
        (
            "srcType=s3\nsrcDomain=http://minio.intranet:9000\n",
            "s3-compatible",
            "us-east-1",
            "http://minio.intranet:9000",
        ),
        (
            "srcType=cos\nsrcDomain=tj\nsrcBucket=from-1250000000\n",
            "cos",
            "ap-beijing-1",
            "https://cos.ap-beijing-1.myqcloud.com",
        ),
        (
            "srcType=cos\nsrcDomain=cos.ap-chengdu.myqcloud.com\nappId=1250000000\n",
            "cos",
            "ap-chengdu",
            "https://cos.ap-chengdu.myqcloud.com",
        ),
    ] {
        let made = job(&with(lines));
        assert_eq!(made.source.kind(), kind);
        let SourceSpec::Bucket(bucket) = made.source else { panic!("a bucket") };
        assert_eq!((bucket.region.as_str(), bucket.endpoint.as_str()), (region, endpoint));
    }
}

#[test]
fn the_region_of_a_kodo_bucket_is_asked_for_where_no_address_says_it() {
    for domain in ["http://photos.example.com", "http://s3.qiniucs.com", ""] {
        let imported = with(&format!("srcType=qiniu\nsrcDomain={domain}\n"));
        assert_parses(&imported, imported.text.as_ref().unwrap());
        assert_eq!(fate(&imported, "srcDomain").became, Became::ToFillIn, "{domain}");
        assert!(
            imported.for_people("job.toml").contains("source.region  the region of the bucket")
        );
        let uncommented = imported.text.unwrap().replacen("#region", "region", 1);
        let errors = Job::parse(&uncommented).unwrap_err().to_string();
        assert!(errors.contains("source.region") && errors.contains("is required"), "{errors}");
    }
    for domain in ["https://s3-cn-south-1.qiniucs.com", "s3.cn-south-1.qiniucs.com"] {
        let imported = with(&format!("srcType=qiniu\nsrcDomain={domain}\n"));
        let SourceSpec::Bucket(bucket) = job(&imported).source else { panic!("a bucket") };
        assert_eq!(bucket.endpoint, "https://s3-cn-south-1.qiniucs.com");
    }
}

#[test]
fn the_slash_that_ossimport_wants_of_cos_is_no_part_of_a_key() {
    let lines = "srcType=cos\nsrcDomain=ap-guangzhou\nappId=1250000000\nsrcPrefix=/docs/\n";
    assert_eq!(job(&with(lines)).source.prefix().as_bytes(), b"docs/");
    assert_eq!(job(&with(&lines.replace("/docs/", "/"))).source.prefix().as_bytes(), b"");
}

#[test]
fn a_source_without_a_key_is_asked_without_one() {
    let imported = with("srcAccessKey=\nsrcSecretKey=\n");
    let SourceSpec::Bucket(bucket) = job(&imported).source else { panic!("a bucket") };
    assert_eq!(bucket.credentials, Credentials::Anonymous);
}
