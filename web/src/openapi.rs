//! The description of the interface: made of the very routes, and kept as `web/openapi.json`.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Saker",
        description = "Alerts, rules, modules and health of a running Saker. A browser logs in \
                       with `POST /session` and sends the `X-CSRF-Token` that it is told there \
                       with every change; a program sends `Authorization: Bearer TOKEN`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/api/v1")),
    modifiers(&Secured),
    security(("cookie" = []), ("token" = [])),
    tags(
        (name = "session", description = "Who one is"),
        (name = "alerts", description = "What was noticed"),
        (name = "rules", description = "What is looked for"),
        (name = "modules", description = "What looks for it"),
        (name = "editor", description = "What helps to write rules"),
        (name = "health", description = "How it goes"),
    )
)]
pub(crate) struct Description;

struct Secured;

impl Modify for Secured {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("saker-PORT")));
        components.add_security_scheme("cookie", cookie);
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", token);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_in_the_repository_is_that_of_the_routes() {
        let made = format!("{}\n", crate::openapi());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &made).expect("the project's own file");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "web/openapi.json is another: BLESS=1 writes it"
        );
    }
}
