//! The build script and the README say what the templates say.
