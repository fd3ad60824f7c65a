//! All that the window may call. Each command checks its arguments and hands them on; none takes a path, an address or an argument
//! string, but for the game folder, which must be the one in use or the one just picked in the system's dialog.

use crate::{
    app::{Services, WINDOW, locked},
    brand::{self, BrandView, LinkName},
    failure::{Code, Failure},
    links,
    news::News,
    settings::Settings,
    signin::Account,
};
use engine::snapshot::{Action, FolderLook, Snapshot};
use std::path::{Path, PathBuf};
use tauri::{AppHandle, Manager, State};
use tauri_plugin_dialog::DialogExt;

type Answer<T> = Result<T, Failure>;

#[tauri::command]
pub(crate) fn snapshot(services: State<'_, Services>) -> Snapshot {
    services.game.snapshot()
}

#[tauri::command]
pub(crate) async fn act(services: State<'_, Services>, action: Action) -> Answer<()> {
    services.game.act(action).await
}

#[tauri::command]
pub(crate) fn settings(services: State<'_, Services>) -> Settings {
    locked(&services.settings).current().clone()
}

#[tauri::command]
pub(crate) async fn save_settings(services: State<'_, Services>, settings: Settings) -> Answer<()> {
    keep(&services, settings.clone())?;
    if let Ok(proxy) = settings.proxy_in_use() {
        let told = services
            .proxies
            .send_if_modified(|now| *now != proxy && std::mem::replace(now, proxy.clone()) != *now);
        // The news are asked for the new way at once.
        told.then(|| services.news.look());
    }
    services.game.apply(settings).await
}

#[tauri::command]
pub(crate) async fn pick_folder(app: AppHandle, services: State<'_, Services>) -> Answer<Option<String>> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let mut dialog = app.dialog().file();
    if let Some(window) = app.get_webview_window(WINDOW) {
        dialog = dialog.set_parent(&window);
    }
    dialog.pick_folder(move |folder| drop(answer.send(folder)));
    let picked = answered.await.ok().flatten().and_then(|folder| folder.into_path().ok());
    let text = picked.as_ref().and_then(|path| path.to_str()).map(str::to_owned);
    if text.is_some() {
        *locked(&services.picked) = picked;
    }
    Ok(text)
}

/// What it would come to if the game went to the folder in use or the one just picked. Where that means a folder of the game's own
/// inside it, this is the picked one from then on.
#[tauri::command]
pub(crate) async fn look_at_folder(services: State<'_, Services>, dir: String) -> Answer<FolderLook> {
    let allowed = {
        let current = locked(&services.settings).current().dir.clone();
        dir == current || locked(&services.picked).as_deref() == Some(Path::new(&dir))
    };
    if !allowed {
        return Err(Code::SettingsFolder.failure("the game folder is chosen in the folder dialog"));
    }
    let found = services.game.look(PathBuf::from(&dir)).await?;
    if found.dir != dir {
        *locked(&services.picked) = Some(PathBuf::from(&found.dir));
    }
    Ok(found)
}

#[tauri::command]
pub(crate) async fn open_folder(services: State<'_, Services>) -> Answer<()> {
    let dir = PathBuf::from(services.game.snapshot().game.dir);
    match tokio::task::spawn_blocking(move || links::open_folder(&dir)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(links::FolderError::Missing(_))) => {
            Err(Code::FolderMissing.failure("the game folder is not there"))
        }
        Ok(Err(error)) => Err(Code::FolderOpenFailed.failure(error.to_string())),
        Err(error) => Err(Code::FolderOpenFailed.failure(error.to_string())),
    }
}

#[tauri::command]
pub(crate) fn account(services: State<'_, Services>) -> Account {
    services.sign_in.account()
}

#[tauri::command]
pub(crate) async fn sign_in(services: State<'_, Services>) -> Answer<()> {
    services.sign_in.sign_in().await
}

#[tauri::command]
pub(crate) async fn sign_in_elsewhere(services: State<'_, Services>) -> Answer<()> {
    services.sign_in.sign_in_elsewhere().await
}

#[tauri::command]
pub(crate) async fn cancel_sign_in(services: State<'_, Services>) -> Answer<()> {
    services.sign_in.cancel().await
}

#[tauri::command]
pub(crate) async fn sign_out(services: State<'_, Services>) -> Answer<()> {
    services.sign_in.sign_out().await
}

#[tauri::command]
pub(crate) fn news(services: State<'_, Services>) -> News {
    services.news.look()
}

#[tauri::command]
pub(crate) async fn open_news(services: State<'_, Services>, id: String) -> Answer<()> {
    let refused = || Code::LinkRefused.failure("there is no such news link");
    let url = services.news.link(&id).ok_or_else(refused)?;
    match tokio::task::spawn_blocking(move || links::open_in_browser(&url)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(links::LinkError::Refused(_))) => Err(refused()),
        Ok(Err(error)) => Err(Code::LinkFailed.failure(error.to_string())),
        Err(error) => Err(Code::LinkFailed.failure(error.to_string())),
    }
}

#[tauri::command]
pub(crate) fn brand(services: State<'_, Services>) -> BrandView {
    brand::view(&services.brand)
}

/// Opens a page of the studio in the browser, by its name.
#[tauri::command]
pub(crate) async fn open_link(services: State<'_, Services>, name: LinkName) -> Answer<()> {
    let refused = || Code::LinkRefused.failure("the brand has no such page");
    let url = brand::page(&services.brand.config.links, name).cloned().ok_or_else(refused)?;
    match tokio::task::spawn_blocking(move || links::open_in_browser(&url)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(links::LinkError::Refused(_))) => Err(refused()),
        Ok(Err(error)) => Err(Code::LinkFailed.failure(error.to_string())),
        Err(error) => Err(Code::LinkFailed.failure(error.to_string())),
    }
}

/// Checks the settings and writes them down.
fn keep(services: &Services, settings: Settings) -> Answer<()> {
    settings.check(&brand::channels(&services.brand))?;
    let mut file = locked(&services.settings);
    let picked = locked(&services.picked).clone();
    if settings.dir != file.current().dir && picked.as_deref() != Some(Path::new(&settings.dir)) {
        return Err(Code::SettingsFolder.failure("the game folder is chosen in the folder dialog"));
    }
    services.game.may_apply(file.current(), &settings)?;
    file.save(settings).map_err(|error| Code::SettingsWrite.failure(error.to_string()))
}
