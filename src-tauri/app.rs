//! Puts the launcher together: one instance, its services, one locked window, and the events it hears.
//!
//! Invariant: services stand before the window does, so no command finds one missing; and nothing here waits for a network.

use crate::{
    after_start,
    brand::{self, Brand, BrandError},
    commands,
    game::{Desk, GameDesk, GameError},
    help::{self, Help},
    http::HttpError,
    links, logging, metered,
    news::NewsDesk,
    places::{self, Places},
    protocol::{self, SCHEME},
    redact::Redactor,
    repository::{Environment, Repository},
    settings::{Settings, SettingsFile},
    signals,
    signin::{PATIENCE, ProviderConfig, Secrets, SignIn, SignInConfig},
    webview,
};
use engine::proxy::Proxy;
use serde::Serialize;
use std::{
    env, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tauri::{
    AppHandle, Emitter, Manager, RunEvent, WebviewWindowBuilder,
    http::{Request, Response, StatusCode},
    webview::{NewWindowResponse, PageLoadEvent},
};
use tokio::sync::{Notify, watch};

/// The one window.
pub(crate) const WINDOW: &str = "main";
/// At most five snapshots a second reach the window; the last one always does.
const SNAPSHOT_GAP: Duration = Duration::from_millis(200);
/// How long the first page may take before the log says that something is wrong.
const PAGE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits for transfers to stop; what came is safe on the disk either way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
/// News and account change seldom; this only keeps a burst from flooding the window.
const EVENT_GAP: Duration = Duration::from_millis(50);

/// Why the launcher cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The brand cannot be used.
    #[error(transparent)]
    Brand(#[from] BrandError),
    /// The system knows no home folder.
    #[error("this user has no home folder")]
    Home,
    /// The log cannot be written.
    #[error("the log cannot be opened: {0}")]
    Log(#[from] io::Error),
    /// No HTTP client can be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The game cannot be opened.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The window or the web view.
    #[error(transparent)]
    Window(#[from] tauri::Error),
}

/// What the commands work on.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) brand: Brand,
    pub(crate) game: GameDesk,
    pub(crate) news: NewsDesk,
    pub(crate) sign_in: SignIn,
    pub(crate) help: Help,
    /// The settings file, and the folder last picked in the dialog.
    pub(crate) settings: Mutex<SettingsFile>,
    pub(crate) picked: Mutex<Option<PathBuf>>,
    /// The proxy in use, for whoever asks web servers.
    pub(crate) proxies: watch::Sender<Proxy>,
}

/// Runs the launcher until its window is closed.
pub(crate) fn run() -> Result<(), AppError> {
    let environment = Environment::read(|name| env::var_os(name));
    let brand = brand::load(&environment)?;
    let places = Places::for_game(brand.config.game.as_str()).ok_or(AppError::Home)?;
    let logs = places.state.join("logs");
    let home = places::home();
    logging::start(&logs, env::var("MUSTER_LOG").ok().as_deref(), Redactor::new(home.as_deref()))?;
    tracing::info!(brand = %brand.config.id, version = env!("CARGO_PKG_VERSION"), "the launcher starts");
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _arguments, _folder| focus(app)))
        .plugin(tauri_plugin_dialog::init())
        .register_asynchronous_uri_scheme_protocol(SCHEME, |context, request, responder| {
            let app = context.app_handle().clone();
            tauri::async_runtime::spawn_blocking(move || responder.respond(picture(&app, &request)));
        })
        .invoke_handler(tauri::generate_handler![
            commands::snapshot,
            commands::act,
            commands::settings,
            commands::save_settings,
            commands::pick_folder,
            commands::look_at_folder,
            commands::open_folder,
            commands::account,
            commands::sign_in,
            commands::sign_in_elsewhere,
            commands::cancel_sign_in,
            commands::sign_out,
            commands::news,
            commands::open_news,
            commands::brand,
            commands::open_link,
            help::check_network,
            help::support_report,
            help::save_report,
            help::open_logs,
        ])
        .setup(move |app| Ok(open(app.handle(), brand, &environment, &places)?))
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        if let RunEvent::Exit = event {
            close(app);
        }
    });
    Ok(())
}

/// Lets go of the game folder before the process ends.
fn close(app: &AppHandle) {
    let Some(services) = app.try_state::<Services>() else { return };
    // The timer must be made inside the runtime; this is the window's thread.
    let closing = async { tokio::time::timeout(CLOSE_PATIENCE, services.game.close()).await };
    if tauri::async_runtime::block_on(closing).is_err() {
        tracing::warn!("transfers did not stop in time");
    }
    tracing::info!("the launcher ends");
}

/// Starts the services, then the window that shows them.
fn open(app: &AppHandle, brand: Brand, environment: &Environment, places: &Places) -> Result<(), AppError> {
    let services = tauri::async_runtime::block_on(async { services(brand, environment, places) })?;
    forward(app, "snapshot", services.game.watch(), SNAPSHOT_GAP);
    forward(app, "account", services.sign_in.watch(), EVENT_GAP);
    forward(app, "news", services.news.watch(), EVENT_GAP);
    after_start::follow(app, services.game.watch());
    let title = services.brand.config.name.clone();
    app.manage(services);
    let ending = app.clone();
    tauri::async_runtime::spawn(async move {
        signals::asked_to_end().await;
        ending.exit(0);
    });
    window(app, &title)
}

/// The services; called inside the runtime, on which they start their tasks.
fn services(brand: Brand, environment: &Environment, places: &Places) -> Result<Services, AppError> {
    let channels = brand::channels(&brand);
    let channel = channels.first().map_or("", String::as_str);
    let defaults = Settings::default_for(channel, &places.game).begun_as(&brand.config.defaults);
    let settings = SettingsFile::load(places.config.join("settings.json"), defaults, &channels);
    let proxy = settings.current().proxy_in_use().unwrap_or(Proxy::None);
    let proxies = watch::Sender::new(proxy.clone());
    let news = NewsDesk::start(brand.config.feed.clone(), places.cache.join("news"), proxies.subscribe())?;
    let sign_in = SignIn::start(sign_in_config(&brand, places, proxy))?;
    let desk = Desk {
        game: brand.config.game.clone(),
        title: brand.config.title.clone(),
        repository: Repository::find(&brand, environment),
        trust_state: places.shared_state.clone(),
        memory: places.state.join("installed.json"),
        ledger: places.state.join("passed-on.json"),
        user_places: places::user_places(),
        metered: metered::follow(),
    };
    let game = GameDesk::start(desk, settings.current())?;
    let help = Help::new(places.state.join("logs"), Redactor::new(places::home().as_deref()));
    Ok(Services {
        brand,
        game,
        news,
        sign_in,
        help,
        settings: Mutex::new(settings),
        picked: Mutex::default(),
        proxies,
    })
}

/// How people sign in, or `None` when the brand has no identity provider.
fn sign_in_config(brand: &Brand, places: &Places, proxy: Proxy) -> Option<SignInConfig> {
    let config = &brand.config;
    let (issuer, client_id) = (config.issuer.clone()?, config.client_id.clone()?);
    let user = format!("{}@{issuer}", config.game);
    Some(SignInConfig {
        provider: ProviderConfig { issuer, client_id, scopes: config.scopes.clone(), proxy },
        brand: config.name.clone(),
        record: places.state.join("account.json"),
        secrets: Secrets::system("org.muster.launcher", &user),
        open: links::open_in_browser,
        patience: PATIENCE,
        pause: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
    })
}

/// The window, locked: its page is the built-in one, it opens no other and goes nowhere else.
fn window(app: &AppHandle, title: &str) -> Result<(), AppError> {
    let config = app.config().app.windows.iter().find(|window| window.label == WINDOW);
    let config = config.ok_or(tauri::Error::WindowNotFound)?;
    let page = Arc::new(Notify::new());
    tauri::async_runtime::spawn(watch_first_page(Arc::clone(&page)));
    WebviewWindowBuilder::from_config(app, config)?
        .title(title)
        .devtools(cfg!(debug_assertions))
        .on_navigation(webview::may_navigate)
        .on_new_window(|url, _features| {
            tracing::warn!(%url, "a new window was refused");
            NewWindowResponse::Deny
        })
        .on_page_load(move |_window, load| {
            if load.event() == PageLoadEvent::Finished {
                page.notify_one();
            }
        })
        .build()?;
    Ok(())
}

/// Says in the log when the page stands, or that it does not: a blank window is the web view's commonest fault.
async fn watch_first_page(page: Arc<Notify>) {
    let begun = Instant::now();
    match tokio::time::timeout(PAGE_PATIENCE, page.notified()).await {
        Ok(()) => tracing::info!(milliseconds = begun.elapsed().as_millis(), "the page stands"),
        Err(_) => tracing::error!("the window shows no page; WEBKIT_DISABLE_DMABUF_RENDERER=1 may help"),
    }
}

/// A second start shows the first one's window.
fn focus(app: &AppHandle) {
    let Some(window) = app.get_webview_window(WINDOW) else { return };
    for step in [window.unminimize(), window.show(), window.set_focus()] {
        if let Err(error) = step {
            tracing::warn!(%error, "the window does not come to the front");
        }
    }
}

/// Sends every new state to the window, the last one for sure, and no more than one in `gap`.
fn forward<T>(app: &AppHandle, event: &'static str, mut states: watch::Receiver<T>, gap: Duration)
where
    T: Serialize + Clone + Send + Sync + 'static,
{
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        while states.changed().await.is_ok() {
            let state = states.borrow_and_update().clone();
            if let Err(error) = app.emit_to(WINDOW, event, state) {
                tracing::warn!(event, %error, "the window did not take an event");
            }
            tokio::time::sleep(gap).await;
        }
    });
}

fn picture(app: &AppHandle, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    match app.try_state::<Services>() {
        Some(services) => protocol::answer(request, &services.brand, &services.news),
        None => {
            let mut response = Response::new(Vec::new());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

/// The value behind a lock that only ever guards plain data: a panic elsewhere cannot have left it half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
