//! What a rule file requires of the engine and of plugins, against what there is.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::read::{Plugin, PluginRequirement};
use crate::text::Text;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A version: major, minor, patch.
pub(crate) type Version = (u32, u32, u32);

/// The version of Falco's engine whose language this compiler speaks.
const ENGINE_VERSION: Version = (0, 62, 0);

/// The version of Falco's engine whose language this compiler speaks.
pub fn engine() -> String {
    shown(ENGINE_VERSION)
}
/// Falco's plugins whose fields are built in, as of which version.
const PLUGINS: &[(&str, Version)] = &[("container", (0, 7, 1))];

/// As it is written.
pub(crate) fn shown((major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// Reads `x.y.z`.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

/// Whether what is there does for what is needed.
fn compatible(there: Version, needed: Version) -> bool {
    there.0 == needed.0 && there >= needed
}

/// Reads a version of the engine; a number alone is from the time when it had no other version.
fn engine_version(text: &str) -> Option<Version> {
    let minor = text.parse().ok().map(|minor| (0, minor, 0));
    minor.or_else(|| version(text))
}

/// Whether this compiler speaks the language of that version of Falco's engine, `0.57.0` or `57`.
pub fn speaks(engine: &str) -> bool {
    engine_version(engine).is_some_and(|needed| compatible(ENGINE_VERSION, needed))
}

/// The version of the engine that a file needs.
pub(super) fn check_engine(text: &Text, diagnostics: &mut Diagnostics) -> Option<Version> {
    let written = text.as_str();
    let Some(needed) = engine_version(written) else {
        diagnostics.push(
            Diagnostic::new(
                Code::EngineVersionForm,
                text.whole(),
                format!("unable to parse engine version `{written}`"),
            )
            .label("neither a number nor of the form `x.y.z`")
            .help("write a number such as `57` or a version such as `0.57.0`"),
        );
        return None;
    };
    if !compatible(ENGINE_VERSION, needed) {
        diagnostics.push(
            Diagnostic::new(
                Code::EngineVersion,
                text.whole(),
                format!("the file requires engine version {written}"),
            )
            .label(format!("this engine is {}", shown(ENGINE_VERSION)))
            .help("take a newer Saker, or older rules"),
        );
    }
    Some(needed)
}

/// Holds a requirement against the plugins there are. As in Falco, the first of the
/// alternatives that is there decides.
pub(super) fn check_plugin(requirement: &PluginRequirement, diagnostics: &mut Diagnostics) {
    let mut sound = true;
    let mut names: HashMap<&str, &Text, FixedState> = HashMap::default();
    for plugin in requirement.all() {
        let name = plugin.name.as_str();
        if version(plugin.version.as_str()).is_none() {
            let written = plugin.version.as_str();
            diagnostics.push(
                Diagnostic::new(
                    Code::PluginVersion,
                    plugin.version.whole(),
                    format!("invalid version `{written}` of the required plugin `{name}`"),
                )
                .label("not of the form `x.y.z`")
                .help("write a version such as `0.4.0`"),
            );
            sound = false;
        }
        if let Some(first) = names.insert(name, &plugin.name) {
            diagnostics.push(
                Diagnostic::new(
                    Code::PluginVersion,
                    plugin.name.whole(),
                    format!("the plugin `{name}` is required more than once"),
                )
                .label("named again")
                .context(first.whole(), "first named here")
                .help("name each alternative once"),
            );
            sound = false;
        }
    }
    let there = |plugin: &Plugin| {
        let known = PLUGINS.iter().find(|known| known.0 == plugin.name.as_str());
        known.map(|known| known.1)
    };
    let found = requirement.all().find_map(|plugin| {
        let needed = version(plugin.version.as_str())?;
        Some((plugin, there(plugin)?, needed))
    });
    match found {
        _ if !sound => {}
        Some((_, there, needed)) if compatible(there, needed) => {}
        Some((plugin, there, _)) => diagnostics.push(
            Diagnostic::new(
                Code::PluginVersion,
                plugin.version.whole(),
                format!(
                    "the file requires plugin `{}` in version {}",
                    plugin.name.as_str(),
                    plugin.version.as_str()
                ),
            )
            .label(format!("what is built in is that of {}", shown(there)))
            .help("take a newer Saker, or older rules"),
        ),
        None => {
            let all: Vec<String> = requirement
                .all()
                .map(|plugin| format!("`{}`", plugin.name.as_str()))
                .collect();
            let built_in: Vec<&str> = PLUGINS.iter().map(|known| known.0).collect();
            diagnostics.push(
                Diagnostic::new(
                    Code::PluginVersion,
                    requirement.plugin.name.whole(),
                    format!("the file requires plugin {}", all.join(" or ")),
                )
                .label("not built in")
                .help(format!(
                    "Saker loads no plugins; built in is `{}`",
                    built_in.join("`, `")
                )),
            );
        }
    }
}
