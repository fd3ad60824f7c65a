//! The launcher: one window over the engine.
//!
//! `app` puts it together, `commands` is all that the window may call. The rest is without a window and tested so: `brand`, `news`,
//! `settings`, `signin`. No update logic lives here; that is the engine's.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod after_start;
mod app;
#[cfg(test)]
mod bindings;
mod brand;
mod commands;
mod failure;
mod files;
mod game;
mod help;
mod http;
mod links;
mod logging;
mod metered;
mod news;
mod places;
mod protocol;
mod redact;
mod report;
mod repository;
mod settings;
mod signals;
mod signin;
mod webview;

use std::process::ExitCode;

fn main() -> ExitCode {
    webview::choose_renderer();
    match app::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the launcher cannot start");
            eprintln!("the launcher cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
