//! Servers to start and fixtures for the integration tests.
