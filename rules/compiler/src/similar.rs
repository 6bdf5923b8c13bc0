//! "Did you mean": the known name nearest to a mistyped one.

use strsim::osa_distance;

/// No longer name is compared.
const NAME_BYTES_MAX: usize = 64;
/// No more comparisons of characters are made in one compilation: a tenth of a second, and
/// hundreds of suggestions among the names of a large ruleset. Thousands of wrong names among
/// thousands of right ones would take minutes.
const STEPS_MAX: usize = 20_000_000;

/// "Did you mean": the candidate with the fewest typing errors, if they are few.
pub fn similar<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    Suggestions::default().similar(name, candidates)
}

/// What may still be spent on suggestions.
pub(crate) struct Suggestions {
    steps: usize,
}

impl Default for Suggestions {
    fn default() -> Suggestions {
        Suggestions { steps: STEPS_MAX }
    }
}

impl Suggestions {
    /// The candidate with the fewest typing errors, if they are few.
    fn similar<'a>(
        &mut self,
        name: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let allowed = (name.len() / 3).clamp(1, 3);
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            let close = candidate.len().abs_diff(name.len()) <= allowed;
            let steps = 1 + usize::from(close) * name.len() * candidate.len();
            self.steps = self.steps.checked_sub(steps)?;
            if !close {
                continue;
            }
            let found = (osa_distance(name, candidate), candidate);
            if found.0 <= allowed && best.is_none_or(|best| found < best) {
                best = Some(found);
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// `help` text for a name that may be a mistyped one.
    pub(crate) fn did_you_mean<'a>(
        &mut self,
        name: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        self.similar(name, candidates)
            .map(|candidate| format!("did you mean `{candidate}`?"))
    }
}
