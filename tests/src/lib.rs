//! Servers to start, faults to inject, and fixtures for the integration tests.
//!
//! - Real ends: [`seaweedfs`] as S3, the emulator as OSS ([`oss`]), and writers to both.
//! - What a ledger stands on at Alibaba Cloud: queues of [`smq`], tables of [`tablestore`].
//! - Faults on the wire ([`wire`]) and at the ports ([`faulty`]).
//! - [`drive`]: planner, copier and ledger in one task, over sockets, on a clock that stands still.
//! - [`simulation`]: the same over ports in memory, with every choice drawn from one of many [`seeds`].
//! - [`command`]: the built `ossferry` as a process.

pub mod clock;
pub mod command;
pub mod drive;
pub mod faulty;
pub mod fixtures;
pub mod inspection;
pub mod numbered;
pub mod oss;
pub mod pages;
pub mod post;
mod request_head;
pub mod s3;
pub mod seaweedfs;
pub mod seeds;
pub mod simulation;
pub mod smq;
pub mod tablestore;
pub mod wire;
pub mod world;
