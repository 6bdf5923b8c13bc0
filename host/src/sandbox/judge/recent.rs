//! What was made of modules that were installed lately: of an epoch that differs from the one
//! before in one module, one is made.

use std::collections::VecDeque;

/// Modules of which that is at hand for the next epoch,
const MODULES_MAX: usize = 64;
/// and bytes of Wasm that they have together.
const BYTES_MAX: usize = 64 << 20;

/// Of each module what was made of it, the latest first.
pub(super) struct Recent<T> {
    modules: VecDeque<(blake3::Hash, usize, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Recent<T> {
        Recent {
            modules: VecDeque::new(),
        }
    }
}

impl<T: Clone> Recent<T> {
    /// What was made of the module of that digest and size, or is made of it now.
    pub(super) fn module<E>(
        &mut self,
        digest: blake3::Hash,
        bytes: usize,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let known = self.modules.iter().position(|(of, ..)| *of == digest);
        let made = match known.and_then(|at| self.modules.remove(at)) {
            Some((_, _, made)) => made,
            None => make()?,
        };
        self.modules.push_front((digest, bytes, made.clone()));
        let mut sum = 0;
        let fit = self.modules.iter().take_while(|(_, of, _)| {
            sum += of;
            sum <= BYTES_MAX
        });
        let fit = fit.count().min(MODULES_MAX);
        self.modules.truncate(fit);
        Ok(made)
    }
}
