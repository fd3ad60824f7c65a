//! The verbs, each with its words and what it does.

pub(crate) mod brand;
pub(crate) mod check;
pub(crate) mod diagnose;
pub(crate) mod install;
pub(crate) mod keys;
pub(crate) mod play;
pub(crate) mod preload;
pub(crate) mod publish;
pub(crate) mod refresh;
pub(crate) mod repair;
pub(crate) mod repo;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod torrent;
pub(crate) mod uninstall;
pub(crate) mod unlock;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod wait;
