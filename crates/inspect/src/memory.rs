//! What went before: passages of conversations with language models that were judged and let pass.
//! A conversation is sent again with every turn; what the same agent sent to the same place under the
//! same policy needs no second look, and what was flagged in it no second record.

use oktsec_detect::Passage;
use quick_cache::sync::Cache;

/// The passages of one generation; bounded, the least used are forgotten.
pub(crate) struct Memory(Cache<[u8; 16], ()>);

/// How many passages are remembered: some hundred long conversations.
const PASSAGES_MAX: usize = 65_536;

// === impl Memory ===

impl Memory {
    pub(crate) fn new() -> Self {
        Self(Cache::new(PASSAGES_MAX))
    }

    pub(crate) fn knows(&self, passage: &Passage) -> bool {
        self.0.get(&passage.digest).is_some()
    }

    pub(crate) fn add(&self, passages: impl IntoIterator<Item = Passage>) {
        for passage in passages {
            self.0.insert(passage.digest, ());
        }
    }
}
