//! What the pages load: a few files, each under a name with the digest of its content, so that a browser keeps them for good and
//! never has an old one.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use sha2::Digest as _;
use sha2::Sha256;

use crate::admin::problem::Problem;

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

const ASSETS: [Asset; 6] = [
    Asset {
        name: "charts.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/charts.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        content: include_bytes!("../assets/icon.svg"),
    },
    Asset {
        name: "live.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/live.js"),
    },
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_bytes!("../assets/style.css"),
    },
    Asset {
        name: "uplot.css",
        kind: "text/css; charset=utf-8",
        content: include_bytes!("../assets/uplot.css"),
    },
    Asset {
        name: "uplot.js",
        kind: "text/javascript; charset=utf-8",
        content: include_bytes!("../assets/uplot.js"),
    },
];

/// The names with their digests, in the order of [`ASSETS`].
fn paths() -> &'static [String; ASSETS.len()] {
    static PATHS: OnceLock<[String; ASSETS.len()]> = OnceLock::new();
    PATHS.get_or_init(|| {
        ASSETS.each_ref().map(|asset| {
            let digest = Sha256::digest(asset.content);
            let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let (stem, end) = asset.name.split_once('.').expect("a name with an end");
            format!("/assets/{stem}-{digest}.{end}")
        })
    })
}

/// The path of an asset.
pub(super) fn path(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.map_or("", |at| paths()[at].as_str())
}

/// `GET /assets/{name}`: from the table, and from nowhere else.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let is_named = |path: &&String| path.strip_prefix("/assets/") == Some(name.as_str());
    let Some(at) = paths().iter().position(|path| is_named(&path)) else {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(ASSETS[at].kind)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    (headers, ASSETS[at].content).into_response()
}
