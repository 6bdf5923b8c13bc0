//! The page's files: what Vite builds of `page/`, committed, and part of the program.

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "page/dist"]
struct Files;

/// The file of that address. Addresses without a dot are views of the one page.
pub(crate) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if ![Method::GET, Method::HEAD].contains(&method) {
        let allowed = [(ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed).into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let name = match path.rsplit('/').next().unwrap_or_default().contains('.') {
        true => path,
        false => "index.html",
    };
    let Some(file) = Files::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let digest = file.metadata.sha256_hash();
    let tag: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
    let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // It is asked each time whether the file is the same, so that a new program has its own page.
    let kept = HeaderValue::from_static("no-cache");
    if headers.get(IF_NONE_MATCH) == Some(&tag) {
        return (
            StatusCode::NOT_MODIFIED,
            [(ETAG, tag), (CACHE_CONTROL, kept)],
        )
            .into_response();
    }
    let kind = HeaderValue::from_static(kind_of(name));
    let headers = [(CONTENT_TYPE, kind), (ETAG, tag), (CACHE_CONTROL, kept)];
    (headers, file.data).into_response()
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest" | "map") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}
