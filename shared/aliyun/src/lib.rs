//! Alibaba Cloud OSS: signing, client, target and source.
