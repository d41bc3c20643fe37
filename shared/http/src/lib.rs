//! The one HTTP lane for listings and object bytes.
