//! `saker module inspect`: what a component says of itself, and what it imports.

use crate::commands::{Failure, compiler_apart, complain, escaped, print, shown};
use crate::componentise::stubbed;
use crate::sandbox::component::{COMPONENT_BYTES_MAX, Code, ComponentLimits, Workshop, imports};
use anyhow::{Context, anyhow};
use saker_rules_schema::manifest::Priority;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component
    file: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let length = args.file.metadata().map(|found| found.len());
    if length.is_ok_and(|length| length > COMPONENT_BYTES_MAX as u64) {
        return Err(anyhow!("`{}` is larger than any module may be", shown(&args.file)).into());
    }
    let wasm = std::fs::read(&args.file)
        .with_context(|| format!("cannot read `{}`", shown(&args.file)))?;
    let bytes = wasm.len();
    // Also of one that is refused, it is of use what it wants.
    let imported = imports(&wasm);
    let stubs = stubbed(&wasm);
    let limits = ComponentLimits::live(Duration::from_secs(1));
    let workshop = Workshop::new_with(limits, Arc::new(compiler_apart()))
        .map_err(|why| anyhow!("no sandbox for modules: {why}"))?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("{name:<12} {}\n", escaped(value).trim_end()));
    };
    let loaded = Code::load(&workshop, wasm);
    if let Ok((code, description)) = &loaded {
        line(
            "module",
            &format!("{} {}", description.name, description.version),
        );
        line("digest", &format!("blake3:{}", code.digest));
        line("bytes", &bytes.to_string());
        line("condition", &description.subscription.condition);
        line("fields", &description.subscription.fields.join(" "));
        line("state", description.state.name());
        let wanted: Vec<&str> = description
            .capabilities
            .iter()
            .map(|want| want.name())
            .collect();
        line("wants", if wanted.is_empty() { "nothing" } else { "" });
        for want in wanted {
            line("", want);
        }
        for rule in &description.rules {
            line("rule", &rule.name);
            line("  priority", Priority::from(rule.priority).name());
            line("  tags", &rule.tags.join(" "));
            line("  output", &rule.output);
        }
    }
    for import in &imported {
        line("imports", import);
    }
    // Of a component's modules, what its own stubs answer.
    for stub in &stubs {
        line("stub", stub);
    }
    print(&text)?;
    match loaded {
        Ok(_) => Ok(()),
        Err(why) => {
            complain(&format!(
                "saker: `{}` is no module that Saker can run: {}\n",
                shown(&args.file),
                escaped(&why.to_string())
            ));
            Err(Failure::Invalid)
        }
    }
}
