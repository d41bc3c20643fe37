//! The integration tests: one binary, a module a subject.
//!
//! They start real servers on loopback (see `tests/setup`) and run the built command; `tests/run`
//! does both.

mod aliyun;
mod aliyun_infra;
mod aws;
mod azure;
mod command;
mod conformance;
mod cutover;
mod deployed;
mod deploying;
mod faults;
mod fc;
mod finishing;
mod gcs;
mod kills;
mod lambda;
mod limits;
mod models;
mod old_data;
mod peers;
mod pipeline;
mod promises;
mod rates;
mod readme;
mod sdk_judges;
mod template;
mod tidy;
mod upyun;
mod urls;
