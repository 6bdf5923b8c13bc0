//! The value of `required_plugin_versions`.

use super::{Keys, Kind, Node, shape};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::text::{Span, Text};
use std::rc::Rc;

/// A plugin, in that version or a later one that is compatible.
pub(crate) struct Plugin {
    pub(crate) name: Text,
    pub(crate) version: Text,
}

/// What a file needs of plugins: one of these.
pub(crate) struct PluginRequirement {
    pub(crate) plugin: Plugin,
    pub(crate) alternatives: Vec<Plugin>,
}

impl PluginRequirement {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Plugin> {
        std::iter::once(&self.plugin).chain(&self.alternatives)
    }
}

pub(super) fn read(node: &Node, diagnostics: &mut Diagnostics) -> Option<Vec<PluginRequirement>> {
    let mut requirements = Vec::new();
    for node in sequence(node, "required_plugin_versions", diagnostics)? {
        let Some(mut keys) = plugin_keys(node, diagnostics) else {
            continue;
        };
        let plugin = read_plugin(&mut keys, node.span, diagnostics);
        let others = keys
            .take("alternatives")
            .and_then(|node| sequence(node, "alternatives", diagnostics));
        keys.finish(diagnostics);
        let mut alternatives = Vec::new();
        for node in others.into_iter().flatten() {
            let Some(mut keys) = plugin_keys(node, diagnostics) else {
                continue;
            };
            alternatives.extend(read_plugin(&mut keys, node.span, diagnostics));
            keys.finish(diagnostics);
        }
        requirements.extend(plugin.map(|plugin| PluginRequirement {
            plugin,
            alternatives,
        }));
    }
    Some(requirements)
}

fn plugin_keys<'a>(node: &'a Node, diagnostics: &mut Diagnostics) -> Option<Keys<'a>> {
    match &node.kind {
        Kind::Mapping(pairs) => Some(Keys::new("required plugin", pairs, diagnostics)),
        Kind::Scalar { .. } | Kind::Sequence(_) => {
            let message = "a required plugin must be a mapping".into();
            diagnostics.push(shape(node, message).help("give it a `name` and a `version`"));
            None
        }
    }
}

fn read_plugin(keys: &mut Keys<'_>, span: Span, diagnostics: &mut Diagnostics) -> Option<Plugin> {
    let [name, version] = ["name", "version"].map(|key| {
        let text = keys.text(key, diagnostics).filter(|text| !text.is_empty());
        if text.is_none() {
            let message = format!("a required plugin has no `{key}`");
            diagnostics.push(
                Diagnostic::new(Code::MissingKey, span, message).help(format!("add a key `{key}`")),
            );
        }
        text
    });
    Some(Plugin {
        name: name?,
        version: version?,
    })
}

fn sequence<'a>(
    node: &'a Node,
    key: &str,
    diagnostics: &mut Diagnostics,
) -> Option<&'a [Rc<Node>]> {
    match &node.kind {
        Kind::Sequence(nodes) => Some(nodes),
        Kind::Scalar { .. } | Kind::Mapping(_) => {
            diagnostics.push(shape(node, format!("`{key}` must be a list")));
            None
        }
    }
}
