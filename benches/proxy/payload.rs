//! What the load generator sends: chat-completion JSON of an exact size, free of anything that a
//! DLP rule could match, so that every request must pass after a full scan.

use serde_json::json;

/// What one request carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    Get,
    Post { name: &'static str, bytes: usize },
}

/// Ordinary prose, in ASCII so that JSON needs no escapes and sizes come out exact.
const SENTENCES: &[&str] = &[
    "Please compare the two retrieval methods and say which one copes better with long documents. ",
    "The abstract claims an improvement over the baseline, but the ablation table tells otherwise. ",
    "I read the first four sections and the appendix; the proof of the second lemma looks sound. ",
    "Could you list the data sets, their licences and the number of samples in each of them? ",
    "The authors train for twelve epochs with a cosine schedule and a batch size of 256. ",
    "Summarise the related work in three paragraphs and keep the citations in the original order. ",
    "We should rerun the evaluation with a different seed before we draw any conclusion from it. ",
    "The reviewer asks why the attack fails on larger models, and I have no good answer yet. ",
    "Use plain language; the report is for readers who have never trained a network themselves. ",
    "Figure 3 shows latency against context length for the three serving engines under test. ",
];

const MESSAGE_CHARS: usize = 700;

// === impl Payload ===

impl Payload {
    pub(crate) const ALL: [Self; 3] = [
        Self::Get,
        Self::Post {
            name: "POST 1 KiB",
            bytes: 1024,
        },
        Self::Post {
            name: "POST 100 KiB",
            bytes: 100 * 1024,
        },
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post { name, .. } => name,
        }
    }

    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post { .. } => "POST",
        }
    }

    pub(crate) fn body(self) -> String {
        match self {
            Self::Get => String::new(),
            Self::Post { bytes, .. } => chat(bytes),
        }
    }
}

/// A chat of exactly `bytes` bytes: whole messages first, then one that fills up.
fn chat(bytes: usize) -> String {
    let mut prose = Prose { state: 1 };
    let mut messages = Vec::new();
    let mut left = bytes - document(&[]).len();
    let frame = message("user", "").len() + ",".len();
    while left > 2 * (frame + MESSAGE_CHARS) {
        let role = if messages.len() % 2 == 0 {
            "user"
        } else {
            "assistant"
        };
        let next = message(role, &prose.take(MESSAGE_CHARS));
        left -= next.len() + ",".len();
        messages.push(next);
    }
    // The last message needs no comma after it.
    messages.push(message("user", &prose.take(left + ",".len() - frame)));
    let text = document(&messages);
    assert_eq!(text.len(), bytes, "the sizes in the table must be exact");
    text
}

fn message(role: &str, content: &str) -> String {
    json!({ "role": role, "content": content }).to_string()
}

fn document(messages: &[String]) -> String {
    let messages = messages.join(",");
    format!("{{\"model\":\"example-large\",\"stream\":false,\"messages\":[{messages}]}}")
}

/// Sentences in an order that does not repeat soon, the same in every run.
struct Prose {
    state: u32,
}

// === impl Prose ===

impl Prose {
    fn take(&mut self, chars: usize) -> String {
        let mut text = String::with_capacity(chars + 128);
        while text.len() < chars {
            // The constants are those of Numerical Recipes' quick generator.
            self.state = self
                .state
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            let pick = usize::from((self.state >> 16) as u16) % SENTENCES.len();
            text.push_str(SENTENCES[pick]);
        }
        text.truncate(chars);
        text
    }
}
