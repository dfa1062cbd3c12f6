//! Data about persons: numbers that checksum or structure proves, weaker ones that a word beside them
//! explains, wallets and their seed phrases, and lists of addresses, where it is the number that
//! matters. [`Rules`] is built once; [`Rules::find`] looks at a view in passes that skip what cannot
//! hold any of it.

mod americas;
mod asia_pacific;
mod checksum;
mod contact;
mod context;
mod digits;
mod europe;
mod groups;
mod kind;
mod payment;
mod shape;
mod sweep;
#[cfg(test)]
mod tests;
mod travel;
mod wallet;
mod words;

use std::collections::BTreeMap;

use oktsec_model::Confidence;

pub(crate) use self::kind::Kind;

use self::context::Context;
use self::shape::{Recogniser, Shapes};
use self::sweep::Sweep;
use self::words::Words;
use crate::collect::Hits;
use crate::rule::{Finder, Matcher, Rule};

/// The rules that speak for the kinds, and what is looked for on their behalf.
pub(crate) struct Rules {
    /// By kind.
    speakers: Vec<Option<Speaker>>,
    shapes: Shapes,
    words: Words,
    seeds: wallet::SeedWords,
}

/// The rule of a kind.
#[derive(Clone, Copy)]
struct Speaker {
    rule: usize,
    confidence: Confidence,
    count_min: u32,
}

/// Everything that has a shape.
fn recognisers() -> impl Iterator<Item = &'static Recogniser> {
    [
        payment::RECOGNISERS,
        travel::RECOGNISERS,
        americas::RECOGNISERS,
        europe::RECOGNISERS,
        asia_pacific::RECOGNISERS,
    ]
    .into_iter()
    .flatten()
}

// === impl Rules ===

impl Rules {
    /// For the rules whose finder is a kind of personal data.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut speakers = vec![None; Kind::ALL.len()];
        for (index, rule) in rules.iter().enumerate() {
            if let Matcher::Finder(Finder::Pii(kind)) = rule.matcher
                && let Some(speaker) = speakers.get_mut(kind as usize)
            {
                *speaker = Some(Speaker {
                    rule: index,
                    confidence: rule.confidence,
                    count_min: rule.count_min,
                });
            }
        }
        let speaks = |kind: Kind| speakers.get(kind as usize).is_some_and(Option::is_some);
        let mut words: BTreeMap<&'static str, u128> = BTreeMap::new();
        let of_shapes = recognisers().map(|recogniser| (recogniser.kind, recogniser.words));
        let others = contact::WORDS.iter().chain(wallet::WORDS).copied();
        for (kind, list) in of_shapes.chain(others).filter(|(kind, _)| speaks(*kind)) {
            for word in list {
                *words.entry(word).or_default() |= kind.bit();
            }
        }
        Self {
            shapes: Shapes::new(recognisers().filter(|recogniser| speaks(recogniser.kind))),
            words: Words::new(words.into_iter()),
            seeds: wallet::SeedWords::new(),
            speakers,
        }
    }

    /// Finds everything in a view. `field` is the name of the form field, part, header or parameter
    /// whose value the view is, if it is one.
    pub(crate) fn find(&self, bytes: &[u8], field: &str, hits: &mut Hits) {
        if let Some(speaker) = self.speaker(Kind::EmailList) {
            contact::email_list(bytes, speaker, hits);
        }
        if let Some(speaker) = self.speaker(Kind::SeedPhrase) {
            self.seeds.find(bytes, speaker, hits);
        }
        if let Some(speaker) = self.speaker(Kind::Bic) {
            payment::bics(bytes, field, speaker, hits);
        }
        let context = Context::new(&self.words, bytes, field);
        Sweep::new(self, bytes, context, hits).run();
    }

    fn speaker(&self, kind: Kind) -> Option<Speaker> {
        self.speakers.get(kind as usize).copied().flatten()
    }
}
