//! The services that share one signature, ACS3-HMAC-SHA256: Function Compute's invocations and the
//! secrets of Key Management Service.
//!
//! The official SDKs' own code says how to sign (`alibabacloud_tea_openapi`, `alibabacloud-fc20230330`
//! 4.8.3); the manuals describe the operations ("Function Compute: `InvokeFunction`", "Key Management
//! Service: `GetSecretValue`", 2026).

mod client;
mod invoke;
mod secret;
pub mod sign;

pub use client::{OpenApiOptions, classify};
pub use invoke::FunctionStarter;
pub use secret::{KmsCredentials, KmsSecrets};
