//! An OSS endpoint on loopback that checks signatures and keeps its objects on disk.
