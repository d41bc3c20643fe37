//! Uploads in parts.

use http::{HeaderMap, HeaderValue, Method};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::key::Key;
use ossferry_core::object::ETag;
use ossferry_core::ports::{
    ListedPart, ListedUpload, ObjectBody, PutAnswer, PutOptions, UploadedPart,
};
use ossferry_core::time::Timestamp;
use ossferry_http::{LaneBody, retry, retry_while};

use crate::oss::client::{Call, DOCUMENT_BYTES_MAX, OssClient};
use crate::oss::list::decoded;
use crate::oss::metadata::{ACL, crc64_ecma, write_headers};
use crate::oss::object::{bad, put_answer};
use crate::xml::{parsed, push_escaped, unreadable, walk};

impl OssClient {
    /// InitiateMultipartUpload. An answer that was lost leaves an empty upload behind, which only the
    /// caller can find and use or throw away: it is not repeated where the last attempt may have taken
    /// effect.
    pub async fn initiate_multipart_upload(
        &self,
        key: &Key,
        options: &PutOptions,
    ) -> Result<String, PortError> {
        const OPERATION: &str = "InitiateMultipartUpload";
        let mut headers = write_headers(OPERATION, options)?;
        headers.remove("content-md5");
        headers.remove(ACL);
        retry_while(self.policy(), was_not_done, || async {
            let query: &[(&[u8], &[u8])] = &[(b"uploads", b""), (b"encoding-type", b"url")];
            let headers = headers.clone();
            let call = Call { query, headers, ..Call::new(OPERATION, Method::POST, Some(key)) };
            let document = self.document(call).await?;
            let mut upload_id = None;
            walk(&document, |path, text| {
                if path == "InitiateMultipartUploadResult/UploadId" {
                    upload_id = text.filter(|text| !text.is_empty()).map(str::to_owned);
                }
                Some(())
            })
            .and(upload_id)
            .ok_or_else(|| unreadable(OPERATION))
        })
        .await
    }

    /// UploadPart, once: exactly `bytes` bytes.
    pub async fn upload_part(
        &self,
        key: &Key,
        upload_id: &str,
        part_number: u32,
        bytes: u64,
        body: ObjectBody,
    ) -> Result<PutAnswer, PortError> {
        const OPERATION: &str = "UploadPart";
        let part_number = part_number.to_string();
        let query: &[(&[u8], &[u8])] =
            &[(b"partNumber", part_number.as_bytes()), (b"uploadId", upload_id.as_bytes())];
        let body = LaneBody::Stream { bytes, body };
        let call = Call { query, body, ..Call::new(OPERATION, Method::PUT, Some(key)) };
        put_answer(OPERATION, &self.send(call).await?)
    }

    /// ListParts, all pages.
    pub async fn list_parts(
        &self,
        key: &Key,
        upload_id: &str,
    ) -> Result<Vec<ListedPart>, PortError> {
        const OPERATION: &str = "ListParts";
        let mut parts: Vec<ListedPart> = Vec::new();
        loop {
            let last = parts.last().map_or(0, |part| part.part_number);
            let marker = last.to_string();
            let query: &[(&[u8], &[u8])] = &[
                (b"uploadId", upload_id.as_bytes()),
                (b"max-parts", b"1000"),
                (b"part-number-marker", marker.as_bytes()),
            ];
            let (page, is_truncated) = retry(self.policy(), || async {
                let call = Call { query, ..Call::new(OPERATION, Method::GET, Some(key)) };
                parse_parts(&self.document(call).await?).ok_or_else(|| unreadable(OPERATION))
            })
            .await?;
            let is_empty = page.is_empty();
            for part in page {
                if parts.last().is_some_and(|before| before.part_number >= part.part_number) {
                    let message = format!("{OPERATION}: part numbers do not ascend");
                    return Err(PortError::new(ErrorKind::OutOfOrder, message));
                }
                parts.push(part);
            }
            if !is_truncated {
                return Ok(parts);
            }
            if is_empty {
                let message = format!("{OPERATION}: an empty page that is not the last");
                return Err(PortError::new(ErrorKind::PageRepeated, message));
            }
        }
    }

    /// CompleteMultipartUpload with an explicit list. Not repeated where the last attempt may have
    /// taken effect.
    pub async fn complete_multipart_upload(
        &self,
        key: &Key,
        upload_id: &str,
        parts: &[UploadedPart],
        options: &PutOptions,
    ) -> Result<PutAnswer, PortError> {
        const OPERATION: &str = "CompleteMultipartUpload";
        let document = bytes::Bytes::from(part_list(parts));
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert("content-type", HeaderValue::from_static("application/xml"));
        if let Some(acl) = options.acl {
            headers.insert(ACL, HeaderValue::from_static(acl.as_str()));
        }
        if options.forbid_overwrite {
            headers.insert("x-oss-forbid-overwrite", HeaderValue::from_static("true"));
        }
        retry_while(self.policy(), was_not_done, || async {
            let query: &[(&[u8], &[u8])] = &[(b"uploadId", upload_id.as_bytes())];
            let (headers, body) = (headers.clone(), LaneBody::Bytes(document.clone()));
            let call =
                Call { query, headers, body, ..Call::new(OPERATION, Method::POST, Some(key)) };
            let response = self.send(call).await?;
            let (at, crc64_ecma) = (response.date(), crc64_ecma(&response.headers));
            let unreadable = bad(OPERATION, &response, "unreadable answer");
            let document = response.collect(DOCUMENT_BYTES_MAX).await?;
            let mut etag = None;
            walk(&document, |path, text| {
                if path == "CompleteMultipartUploadResult/ETag" {
                    etag = text.map(ETag::new);
                }
                Some(())
            })
            .and(etag)
            .map(|etag| PutAnswer { etag, crc64_ecma, at })
            .ok_or(unreadable)
        })
        .await
    }

    /// AbortMultipartUpload. An upload that is not there is no error.
    pub async fn abort_multipart_upload(
        &self,
        key: &Key,
        upload_id: &str,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "AbortMultipartUpload";
        let aborted = retry(self.policy(), || {
            let query: Vec<(&[u8], &[u8])> = vec![(b"uploadId", upload_id.as_bytes())];
            async move {
                let call =
                    Call { query: &query, ..Call::new(OPERATION, Method::DELETE, Some(key)) };
                self.send(call).await.map(drop)
            }
        })
        .await;
        aborted.or_else(|error| match error.kind {
            ErrorKind::NoSuchUpload => Ok(()),
            _ => Err(error),
        })
    }

    /// ListMultipartUploads, all pages, of exactly this key.
    pub async fn list_multipart_uploads(&self, key: &Key) -> Result<Vec<ListedUpload>, PortError> {
        const OPERATION: &str = "ListMultipartUploads";
        let mut uploads: Vec<ListedUpload> = Vec::new();
        let mut marker: Option<(Key, String)> = None;
        loop {
            let mut query: Vec<(&[u8], &[u8])> = vec![
                (b"uploads", b""),
                (b"prefix", key.as_bytes()),
                (b"max-uploads", b"1000"),
                (b"encoding-type", b"url"),
            ];
            if let Some((key, upload_id)) = &marker {
                query.push((b"key-marker", key.as_bytes()));
                query.push((b"upload-id-marker", upload_id.as_bytes()));
            }
            let page = retry(self.policy(), || async {
                let call = Call { query: &query, ..Call::new(OPERATION, Method::GET, None) };
                parse_uploads(&self.document(call).await?).ok_or_else(|| unreadable(OPERATION))
            })
            .await?;
            uploads.extend(page.uploads.into_iter().filter(|upload| upload.key == *key));
            // The key itself sorts before all that it is a prefix of.
            let Some(next) = page.next.filter(|(next, _)| next <= key) else {
                return Ok(uploads);
            };
            if marker.as_ref() == Some(&next) {
                let message = format!("{OPERATION}: the same page again");
                return Err(PortError::new(ErrorKind::PageRepeated, message));
            }
            marker = Some(next);
        }
    }
}

fn was_not_done(error: &PortError) -> bool {
    error.conclusion == Conclusion::NotDone
}

fn part_list(parts: &[UploadedPart]) -> String {
    let mut xml = String::with_capacity(64 + parts.len() * 100);
    xml.push_str("<CompleteMultipartUpload>");
    for part in parts {
        xml.push_str("<Part><PartNumber>");
        xml.push_str(&part.part_number.to_string());
        xml.push_str("</PartNumber><ETag>");
        push_escaped(&mut xml, &part.etag.quoted());
        xml.push_str("</ETag></Part>");
    }
    xml.push_str("</CompleteMultipartUpload>");
    xml
}

fn parse_parts(document: &[u8]) -> Option<(Vec<ListedPart>, bool)> {
    #[derive(Default)]
    struct Part {
        number: Option<u32>,
        size: Option<u64>,
        etag: Option<ETag>,
        crc64_ecma: Option<u64>,
    }
    let mut parts = Vec::new();
    let mut part = Part::default();
    let mut is_truncated = None;
    walk(document, |path, text| {
        match (path.strip_prefix("ListPartsResult/").unwrap_or_default(), text) {
            ("IsTruncated", Some(text)) => is_truncated = Some(parsed(text)?),
            ("Part/PartNumber", Some(text)) => part.number = Some(parsed(text)?),
            ("Part/Size", Some(text)) => part.size = Some(parsed(text)?),
            ("Part/ETag", Some(text)) => part.etag = Some(ETag::new(text)),
            ("Part/HashCrc64ecma", Some(text)) => part.crc64_ecma = parsed(text),
            ("Part", _) => {
                let Part { number, size, etag, crc64_ecma } = std::mem::take(&mut part);
                let (part_number, size, etag) = (number?, size?, etag?);
                parts.push(ListedPart { part_number, size, etag, crc64_ecma });
            }
            _ => {}
        }
        Some(())
    })?;
    Some((parts, is_truncated?))
}

struct UploadsPage {
    uploads: Vec<ListedUpload>,
    next: Option<(Key, String)>,
}

fn parse_uploads(document: &[u8]) -> Option<UploadsPage> {
    let mut listed: Vec<(Key, String, Timestamp)> = Vec::new();
    let (mut key, mut upload_id, mut initiated) = (None, None, None);
    let (mut next_key, mut next_upload) = (None, None);
    let mut is_encoded = false;
    let mut is_truncated = None;
    walk(document, |path, text| {
        match (path.strip_prefix("ListMultipartUploadsResult/").unwrap_or_default(), text) {
            ("EncodingType", Some(text)) => is_encoded = text == "url",
            ("IsTruncated", Some(text)) => is_truncated = Some(parsed::<bool>(text)?),
            ("NextKeyMarker", Some(text)) => next_key = Some(Key::from(text)),
            ("NextUploadIdMarker", Some(text)) => next_upload = Some(text.to_owned()),
            ("Upload/Key", Some(text)) => key = Some(Key::from(text)),
            ("Upload/UploadId", Some(text)) => upload_id = Some(text.to_owned()),
            ("Upload/Initiated", Some(text)) => initiated = Some(Timestamp::from_rfc3339(text)?),
            ("Upload", _) => listed.push((key.take()?, upload_id.take()?, initiated.take()?)),
            _ => {}
        }
        Some(())
    })?;
    let plain = |key: Key| if is_encoded { decoded(&key) } else { Some(key) };
    let next = if is_truncated? { Some((plain(next_key?)?, next_upload?)) } else { None };
    let uploads = listed
        .into_iter()
        .map(|(key, upload_id, initiated)| {
            Some(ListedUpload { key: plain(key)?, upload_id, initiated })
        })
        .collect::<Option<_>>()?;
    Some(UploadsPage { uploads, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_listed_with_their_crcs() {
        let document = "<ListPartsResult><Bucket>b</Bucket><IsTruncated>true</IsTruncated>\
            <Part><PartNumber>2</PartNumber><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
            <ETag>&quot;3349DC700140D7F86A0784842780****&quot;</ETag>\
            <HashCrc64ecma>18446744073709551615</HashCrc64ecma><Size>10485760</Size></Part>\
            </ListPartsResult>";
        let (parts, is_truncated) = parse_parts(document.as_bytes()).unwrap();
        assert!(is_truncated);
        assert_eq!(
            parts,
            [ListedPart {
                part_number: 2,
                size: 10_485_760,
                etag: ETag::new("3349DC700140D7F86A0784842780****"),
                crc64_ecma: Some(u64::MAX),
            }]
        );
        assert!(parse_parts(document.replace("<Size>10485760</Size>", "").as_bytes()).is_none());
        assert!(parse_parts(b"<ListPartsResult></ListPartsResult>").is_none());
    }

    #[test]
    fn uploads_are_listed_with_their_keys_decoded() {
        let document = "<ListMultipartUploadsResult><EncodingType>url</EncodingType>\
            <NextKeyMarker>a%2Bb</NextKeyMarker><NextUploadIdMarker>02</NextUploadIdMarker>\
            <IsTruncated>true</IsTruncated><Upload><Key>a%2Bb</Key><UploadId>01</UploadId>\
            <Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let page = parse_uploads(document.as_bytes()).unwrap();
        assert_eq!(page.next, Some((Key::from("a+b"), "02".to_owned())));
        assert_eq!(page.uploads[0].key, Key::from("a+b"));
        assert_eq!(page.uploads[0].upload_id, "01");
        let last = document.replace(">true<", ">false<");
        assert_eq!(parse_uploads(last.as_bytes()).unwrap().next, None);
    }

    #[test]
    fn a_part_list_names_each_part() {
        let parts = [UploadedPart { part_number: 1, etag: ETag::new("AB") }];
        assert_eq!(
            part_list(&parts),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
             <ETag>&quot;AB&quot;</ETag></Part></CompleteMultipartUpload>"
        );
    }
}
