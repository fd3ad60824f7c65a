//! What the web view may do, and how it draws.
//!
//! Invariant: it shows the page built into the launcher and never another: navigation elsewhere and new windows are refused here, in
//! Rust, whatever the page says.

use url::Url;

/// Whether the window may go to this address: the built-in page, in the spelling of each system.
pub(crate) fn may_navigate(url: &Url) -> bool {
    let built_in = match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => url.host_str() == Some("tauri.localhost") && url.port().is_none(),
        _ => false,
    };
    built_in && url.username().is_empty() && url.password().is_none()
}

/// WebKitGTK shows a blank window with NVIDIA's own driver unless its DMA-BUF renderer is off. The variable must stand before the
/// process starts any thread, so the launcher starts itself again with it, once. A value the player has set is left alone.
#[cfg(target_os = "linux")]
pub(crate) fn choose_renderer() {
    use std::{env, os::unix::process::CommandExt, path::Path, process::Command};
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    const NVIDIA_DRIVER: &str = "/proc/driver/nvidia/version";
    if env::var_os(VARIABLE).is_some() || !Path::new(NVIDIA_DRIVER).exists() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        // `exec` returns only when it failed; then the window is tried as it is.
        let _failed = Command::new(program).args(env::args_os().skip(1)).env(VARIABLE, "1").exec();
    }
}

/// Other systems' web views need no help.
#[cfg(not(target_os = "linux"))]
pub(crate) fn choose_renderer() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_built_in_page() {
        let cases = [
            ("tauri://localhost", true),
            ("tauri://localhost/index.html#settings", true),
            ("http://tauri.localhost/", true),
            ("https://studio.example/", false),
            ("http://tauri.localhost.evil.example/", false),
            ("http://tauri.localhost:8080/", false),
            ("http://localhost/", false),
            ("file:///etc/passwd", false),
            ("muster://brand/logo", false),
            ("data:text/html,x", false),
            ("about:blank", false),
            ("javascript:alert(1)", false),
        ];
        for (text, expected) in cases {
            assert_eq!(may_navigate(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }
}
