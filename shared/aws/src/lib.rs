//! Sources of the S3 family.
