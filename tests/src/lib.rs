//! Servers to start, faults to inject, and fixtures for the integration tests.
//!
//! - Real ends: [`seaweedfs`] as S3, [`cos`] in front of it, the emulator as OSS ([`oss`]), and writers to both.
//! - [`upyun`]: a bucket as UPYUN's documents describe it.
//! - [`azurite`]: Azure Blob Storage by Microsoft's own emulator.
//! - [`gcs`]: Google Cloud Storage by an emulator, and tokens for a service account.
//! - [`ministack`] as SQS, Amazon's own DynamoDB on this machine ([`dynamodb_local`]).
//! - What a ledger stands on at Alibaba Cloud: queues of [`smq`], tables of [`tablestore`].
//! - [`web`]: a server of URLs, as well or badly behaved as it is told.
//! - Faults on the wire ([`wire`]) and at the ports ([`faulty`]).
//! - [`business`]: an application that keeps writing while its objects are moved.
//! - [`billed`]: a table that counts what AWS would bill.
//! - [`drive`]: planner, copier and ledger in one task, over sockets, on a clock that stands still.
//! - [`simulation`]: the same over ports in memory, with every choice drawn from one of many [`seeds`].
//! - [`lambda`]: the built functions as processes, behind a runtime API and over real queues.
//! - [`port`]: where servers listen that have to be told.
//! - [`deployment`]: the template, deployed by the SAM CLI to [`ministack`].
//! - [`fc`]: the same on Function Compute, with what starts functions and keeps secrets.
//! - [`operated`]: a job on a stack, and the command beside it.
//! - [`command`]: the built `ossferry` as a process.

pub mod azurite;
pub mod billed;
pub mod business;
pub mod clock;
pub mod command;
pub mod cos;
pub mod deployment;
pub mod drive;
pub mod dynamodb_local;
pub mod ending;
pub mod faulty;
pub mod fc;
pub mod fixtures;
pub mod gcs;
pub mod guarded;
pub mod held_process;
pub mod inspection;
pub mod lambda;
pub mod ministack;
pub mod numbered;
pub mod operated;
pub mod oss;
pub mod pages;
pub mod played;
pub mod port;
pub mod post;
mod request_head;
pub mod s3;
pub mod seaweedfs;
pub mod seeds;
pub mod simulation;
pub mod smq;
pub mod stack;
pub mod tablestore;
pub mod upyun;
pub mod web;
pub mod wire;
pub mod world;
