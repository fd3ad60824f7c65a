//! The window's types, written from ours. The test fails when the committed file no longer says what the Rust types say;
//! `MUSTER_WRITE_BINDINGS=1 cargo test -p muster-launcher bindings` writes it anew.

use crate::{brand, news, report, settings, signin};
use engine::{game, snapshot};
use std::{env, fs, path::Path};
use ts_rs::{Config, TS};

const HEADER: &str = "// Written from the Rust types by `MUSTER_WRITE_BINDINGS=1 cargo test -p muster-launcher bindings`; do not edit.\n\
    // Byte counts are bytes, rates bytes per second; u64 travels as number.\n";

macro_rules! declarations {
    ($($type:ty),+ $(,)?) => {{
        let config = Config::new().with_large_int("number");
        let mut text = HEADER.to_owned();
        $( text += &declaration::<$type>(&config); )+
        text
    }};
}

fn declaration<T: TS>(config: &Config) -> String {
    let docs = T::docs().unwrap_or_default();
    format!("\n{docs}export {}\n", T::decl(config))
}

fn bindings() -> String {
    declarations!(
        snapshot::Snapshot,
        snapshot::GameInfo,
        snapshot::Phase,
        snapshot::PauseReason,
        snapshot::Failure,
        snapshot::Action,
        snapshot::Button,
        snapshot::BySource,
        snapshot::Progress,
        snapshot::Sets,
        snapshot::SetProgress,
        snapshot::SetName,
        snapshot::Available,
        snapshot::Preload,
        snapshot::PreloadState,
        snapshot::Way,
        snapshot::WayCost,
        snapshot::Rates,
        snapshot::Limits,
        snapshot::SharingMode,
        snapshot::Sharing,
        snapshot::SharingPause,
        snapshot::Transfer,
        snapshot::PeerRow,
        snapshot::PeerClass,
        snapshot::Reachability,
        snapshot::OriginRow,
        snapshot::TrackerRow,
        snapshot::LastExit,
        snapshot::Summary,
        snapshot::FolderLook,
        snapshot::FolderHolds,
        snapshot::Diagnosis,
        snapshot::Verdict,
        snapshot::Finding,
        snapshot::Check,
        snapshot::FindingCode,
        report::Parts,
        signin::Account,
        signin::Kept,
        news::News,
        news::NewsState,
        news::NewsCard,
        settings::Settings,
        settings::Language,
        settings::WhilePlaying,
        settings::AfterStart,
        settings::Updates,
        settings::Metered,
        settings::ProxyChoice,
        game::Window,
        brand::BrandView,
        brand::LinkName,
    )
}

#[test]
fn the_committed_bindings_are_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/ipc/bindings.ts");
    let expected = bindings();
    if env::var_os("MUSTER_WRITE_BINDINGS").is_some_and(|value| value == "1") {
        fs::write(&path, &expected).expect("the bindings can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "{} is stale: {HEADER}", path.display());
}
