//! What the window may ask for when something does not work: a check of the surroundings, a report to read and to save, the log.
//!
//! Invariant: nothing is sent anywhere. A report is saved as it was shown, where the player picks in the system's dialog.

use crate::{
    app::{Services, WINDOW, locked},
    failure::{Code, Failure},
    links,
    redact::Redactor,
    report::{self, Facts, Parts},
};
use chrono::Utc;
use engine::snapshot::Diagnosis;
use serde_json::json;
use std::{path::PathBuf, sync::Mutex};
use tauri::{AppHandle, Manager, State};
use tauri_plugin_dialog::DialogExt;

/// What the last answers were, for the next ones.
#[derive(Debug)]
pub(crate) struct Help {
    /// Where the log is.
    pub(crate) logs: PathBuf,
    pub(crate) redactor: Redactor,
    diagnosis: Mutex<Option<Diagnosis>>,
    shown: Mutex<Option<String>>,
}

impl Help {
    pub(crate) fn new(logs: PathBuf, redactor: Redactor) -> Self {
        Self { logs, redactor, diagnosis: Mutex::default(), shown: Mutex::default() }
    }
}

#[tauri::command]
pub(crate) async fn check_network(services: State<'_, Services>) -> Result<Diagnosis, Failure> {
    let diagnosis = services.game.diagnose().await?;
    *locked(&services.help.diagnosis) = Some(diagnosis.clone());
    Ok(diagnosis)
}

#[tauri::command]
pub(crate) async fn support_report(app: AppHandle, parts: Parts) -> Result<String, Failure> {
    // Reads a log of some length from the disk.
    let made = tauri::async_runtime::spawn_blocking(move || {
        let services = app.state::<Services>();
        let facts = Facts {
            brand: services.brand.config.id.as_str(),
            at: Utc::now().to_rfc3339(),
            snapshot: json!(services.game.snapshot()),
            settings: locked(&services.settings).current().clone(),
            diagnosis: locked(&services.help.diagnosis).clone(),
            logs: services.help.logs.clone(),
        };
        let text = facts.text(parts, &services.help.redactor);
        *locked(&services.help.shown) = Some(text.clone());
        text
    });
    made.await.map_err(|error| Code::ReportFailed.failure(error.to_string()))
}

/// Saves the report that was shown last; false when the dialog was dismissed.
#[tauri::command]
pub(crate) async fn save_report(app: AppHandle, services: State<'_, Services>) -> Result<bool, Failure> {
    let shown = locked(&services.help.shown).clone();
    let text = shown.ok_or_else(|| Code::ReportFailed.failure("no report was shown yet"))?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    let name = format!("{}-report.txt", services.brand.config.id);
    let mut dialog = app.dialog().file().set_file_name(name).add_filter("txt", &["txt"]);
    if let Some(window) = app.get_webview_window(WINDOW) {
        dialog = dialog.set_parent(&window);
    }
    dialog.save_file(move |path| drop(answer.send(path)));
    let Some(path) = answered.await.ok().flatten().and_then(|path| path.into_path().ok()) else {
        return Ok(false);
    };
    let saved = tauri::async_runtime::spawn_blocking(move || report::save(&path, &text)).await;
    match saved {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) => Err(Code::ReportFailed.failure(error.to_string())),
        Err(error) => Err(Code::ReportFailed.failure(error.to_string())),
    }
}

#[tauri::command]
pub(crate) async fn open_logs(services: State<'_, Services>) -> Result<(), Failure> {
    let logs = services.help.logs.clone();
    let opened = tauri::async_runtime::spawn_blocking(move || links::open_folder(&logs)).await;
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Code::FolderOpenFailed.failure(error.to_string())),
        Err(error) => Err(Code::FolderOpenFailed.failure(error.to_string())),
    }
}
