//! Uploads in parts.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ossferry_aliyun::OssTarget;
use ossferry_core::error::{Conclusion, ErrorKind};
use ossferry_core::key::Key;
use ossferry_core::object::{Digests, ETag};
use ossferry_core::ports::{PutOptions, Target, UploadedPart};
use ossferry_core::proof::{Held, Streamed, check};
use ossferry_core::time::Timestamp;
use ossferry_core::timely::TimeLimit;
use tokio::time::Instant;

use crate::scripted::{Received, Reply, Scripted};
use crate::{ETAG, NOW, body, client, ok, refusal};

#[tokio::test]
async fn an_upload_goes_through_all_its_steps() {
    let server = Scripted::start([
        ok(&[], "<InitiateMultipartUploadResult><UploadId>0004B9</UploadId></InitiateMultipartUploadResult>"),
        ok(&[("etag", ETAG), ("x-oss-hash-crc64ecma", "5")], ""),
        ok(&[], "<ListPartsResult><IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber>\
                 <ETag>\"A\"</ETag><Size>5</Size><HashCrc64ecma>5</HashCrc64ecma></Part></ListPartsResult>"),
        ok(&[], "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>2</PartNumber>\
                 <ETag>\"B\"</ETag><Size>1</Size></Part></ListPartsResult>"),
        refusal("503 Busy", "ServiceUnavailable"),
        ok(&[("x-oss-hash-crc64ecma", "6")],
           "<CompleteMultipartUploadResult><ETag>\"C-2\"</ETag></CompleteMultipartUploadResult>"),
        refusal("404 Not Found", "NoSuchUpload"),
    ])
    .await;
    let limit = TimeLimit::new(Arc::new(|| NOW), NOW.plus(Duration::from_secs(1)));
    let target = OssTarget::new(client(&server), true).until(limit);
    let key = Key::from("a b");
    let options = PutOptions::default();
    let id = target.initiate_upload(&key, &options).await.unwrap();
    let part = target.upload_part(&key, &id, 1, 5, body("hello")).await.unwrap();
    assert_eq!(part.crc64_ecma, Some(5));
    let listed = target.list_parts(&key, &id).await.unwrap();
    assert_eq!(listed.iter().map(|part| part.part_number).collect::<Vec<_>>(), [1, 2]);
    let parts = listed
        .into_iter()
        .map(|part| UploadedPart { part_number: part.part_number, etag: part.etag })
        .collect::<Vec<_>>();
    let streamed = Streamed { bytes: 6, crc64_ecma: 6, crc64_nvme: None };
    let held = Held { bytes: 6, digests: Digests::default() };
    let proof = check(6, &Digests::default(), &streamed, &held).unwrap();
    let whole = target.complete_upload(&key, &id, &parts, &options, &proof).await.unwrap();
    assert_eq!((whole.etag, whole.crc64_ecma), (ETag::new("C-2"), Some(6)));
    target.abort_upload(&key, &id).await.unwrap();

    let received = server.received();
    let lines: Vec<&str> = received.iter().map(Received::line).collect();
    assert_eq!(
        lines,
        [
            "POST /bucket/a%20b?uploads&encoding-type=url HTTP/1.1",
            "PUT /bucket/a%20b?partNumber=1&uploadId=0004B9 HTTP/1.1",
            "GET /bucket/a%20b?uploadId=0004B9&max-parts=1000&part-number-marker=0 HTTP/1.1",
            "GET /bucket/a%20b?uploadId=0004B9&max-parts=1000&part-number-marker=1 HTTP/1.1",
            "POST /bucket/a%20b?uploadId=0004B9 HTTP/1.1",
            "POST /bucket/a%20b?uploadId=0004B9 HTTP/1.1",
            "DELETE /bucket/a%20b?uploadId=0004B9 HTTP/1.1",
        ]
    );
    assert!(String::from_utf8_lossy(&received[5].body).contains("<PartNumber>2</PartNumber>"));
}

#[tokio::test]
async fn a_complete_whose_answer_is_lost_is_not_repeated() {
    for lost in [Reply::Close(Vec::new()), Reply::Hang(Vec::new()), ok(&[], "<Complete")] {
        let server = Scripted::start([lost]).await;
        let parts = [UploadedPart { part_number: 1, etag: ETag::new("A") }];
        let error = client(&server)
            .complete_multipart_upload(&Key::from("k"), "id", &parts, &PutOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.conclusion, Conclusion::Unknown);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn only_uploads_of_exactly_the_key_are_listed() {
    let page = |is_truncated: bool, keys: &[(&str, &str)], next: &str| {
        let mut uploads = String::new();
        for (key, id) in keys {
            let initiated = "<Initiated>2026-01-02T03:04:05.000Z</Initiated>";
            write!(
                uploads,
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId>{initiated}</Upload>"
            )
            .unwrap();
        }
        ok(
            &[],
            &format!(
                "<ListMultipartUploadsResult><EncodingType>url</EncodingType>\
             <IsTruncated>{is_truncated}</IsTruncated><NextKeyMarker>{next}</NextKeyMarker>\
             <NextUploadIdMarker>2</NextUploadIdMarker>{uploads}</ListMultipartUploadsResult>"
            ),
        )
    };
    let server = Scripted::start([
        page(true, &[("a%2Bb", "1"), ("a%2Bb", "2")], "a%2Bb"),
        page(true, &[("a%2Bb", "3"), ("a%2Bb.more", "4")], "a%2Bb.more"),
    ])
    .await;
    let target = OssTarget::new(client(&server), true);
    let uploads = target.list_uploads(&Key::from("a+b")).await.unwrap();
    let ids: Vec<&str> = uploads.iter().map(|upload| upload.upload_id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(uploads[0].initiated, Timestamp::from_rfc3339("2026-01-02T03:04:05Z").unwrap());
    assert_eq!(server.received().len(), 2, "pages of other keys are not asked for");
    assert!(server.received()[1].target().ends_with("&key-marker=a%2Bb&upload-id-marker=2"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_tokens_of_a_rate_until_its_lease_is_over_is_not_sent() {
    let server = Scripted::start([]).await;
    let client = client(&server);
    let pace = client.pace().clone();
    let (began, lease) = (Instant::now(), Duration::from_mins(1));
    let clock = Arc::new(move || NOW.plus(began.elapsed()));
    let target = OssTarget::new(client, true).until(TimeLimit::new(clock, NOW.plus(lease)));
    let (key, options) = (Key::from("a b"), PutOptions::default());
    let parts = [UploadedPart { part_number: 1, etag: ETag::new("A") }];
    let streamed = Streamed { bytes: 6, crc64_ecma: 6, crc64_nvme: None };
    let held = Held { bytes: 6, digests: Digests::default() };
    let proof = check(6, &Digests::default(), &streamed, &held).unwrap();

    // One request in a hundred seconds: whoever asks in time has its turn too late.
    pace.set_rates(None, Some(10));
    let completed = target.complete_upload(&key, "0004B9", &parts, &options, &proof).await;
    let late = completed.unwrap_err();
    assert!(began.elapsed() > lease, "it had to wait");
    assert_eq!((late.kind, late.conclusion), (ErrorKind::Deadline, Conclusion::NotDone));

    pace.set_rates(None, None);
    for refused in [
        target.initiate_upload(&key, &options).await.unwrap_err(),
        target.upload_part(&key, "0004B9", 1, 5, body("hello")).await.unwrap_err(),
        target.put(&key, &options, 5, body("hello")).await.unwrap_err(),
        target.abort_upload(&key, "0004B9").await.unwrap_err(),
    ] {
        assert_eq!(refused.kind, ErrorKind::Deadline, "{refused}");
    }
    assert!(server.received().is_empty());
}
