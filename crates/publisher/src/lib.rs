//! A folder becomes a signed release
