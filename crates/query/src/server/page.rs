//! The page: files that are part of the program, from nowhere else.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::routes;

/// Whatever the page shows, it runs nothing but its own files, and talks to nobody but this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! files {
    ($($path:literal, $kind:ident, $file:literal;)*) => {
        /// Path, type and content.
        const FILES: &[(&str, &str, &str)] = &[$(($path, $kind, include_str!(concat!("page/", $file)))),*];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

files! {
    "/", HTML, "index.html";
    "/page/page.css", CSS, "page.css";
    "/page/icon.svg", SVG, "icon.svg";
    "/page/main.js", JS, "main.js";
    "/page/server.js", JS, "server.js";
    "/page/text.js", JS, "text.js";
    "/page/history.js", JS, "history.js";
    "/page/topology.js", JS, "topology.js";
    "/page/layers.js", JS, "layers.js";
    "/page/node.js", JS, "node.js";
    "/page/instances.js", JS, "instances.js";
    "/page/timeline.js", JS, "timeline.js";
    "/page/plots.js", JS, "plots.js";
    "/page/stores.js", JS, "stores.js";
    "/page/settings.js", JS, "settings.js";
}

pub(crate) fn router() -> Router {
    FILES.iter().fold(Router::new(), |router, (path, kind, content)| {
        let answer = move || async move { file(kind, content) };
        router.route(path, get(answer).fallback(routes::method_not_allowed))
    })
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // With the next version of the program comes the next version of the page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, content)
}
