//! Requests to the interfaces of language models: which hosts those are, the passages of a
//! conversation that are sent again with every turn, and the values that nobody but the provider can
//! read. Text is never skipped; a passage is skipped only when its very bytes went the same way before.

use std::ops::Range;

use oktsec_model::{RequestHead, Scheme};

use crate::bytes::{at, before, count_back, count_while, slice};
use crate::decode;
use crate::json;

/// A part of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passage {
    /// Where it is in the body.
    pub range: Range<usize>,
    /// A keyed digest of its bytes, of who sends them and of where they go.
    pub digest: [u8; 16],
}

/// Hosts of providers; a leading dot stands for what lies below a domain.
const HOSTS: [&str; 28] = [
    ".api.cognitive.microsoft.com",
    ".api.openai.com",
    ".cognitiveservices.azure.com",
    ".inference.ai.azure.com",
    ".openai.azure.com",
    ".services.ai.azure.com",
    "ai-gateway.vercel.sh",
    "api.ai21.com",
    "api.anthropic.com",
    "api.cerebras.ai",
    "api.cohere.ai",
    "api.cohere.com",
    "api.deepinfra.com",
    "api.deepseek.com",
    "api.fireworks.ai",
    "api.groq.com",
    "api.minimax.io",
    "api.mistral.ai",
    "api.moonshot.ai",
    "api.openai.com",
    "api.perplexity.ai",
    "api.together.ai",
    "api.together.xyz",
    "api.x.ai",
    "generativelanguage.googleapis.com",
    "integrate.api.nvidia.com",
    "openrouter.ai",
    "router.huggingface.co",
];

/// The members of a request that hold a conversation, or what is sent along with it, as a list:
/// OpenAI's Chat Completions and Responses, Anthropic's Messages, Google's Gemini, Cohere's Chat.
const LISTS: [&[u8]; 7] = [
    b"messages",
    b"input",
    b"contents",
    b"chat_history",
    b"history",
    b"tools",
    b"system",
];

/// Members whose values are made by the provider, or are pictures and sound.
const OPAQUE: [&[u8]; 9] = [
    b"signature",
    b"thoughtSignature",
    b"thought_signature",
    b"encrypted_content",
    b"redacted_thinking",
    b"data",
    b"b64_json",
    b"url",
    b"image_url",
];

/// More passages than this are scanned like any other text.
const PASSAGES_MAX: usize = 4096;
const KEY_BYTES_MAX: usize = 32;
const OPAQUE_BYTES_MIN: usize = 256;

/// Whether a host is a language model's interface.
pub(crate) fn is_host(host: &str) -> bool {
    let is_bedrock = host.starts_with("bedrock-runtime.") && host.ends_with(".amazonaws.com")
        || host.ends_with("-aiplatform.googleapis.com");
    is_bedrock
        || HOSTS.iter().any(|known| match known.strip_prefix('.') {
            Some(_) => host.ends_with(known),
            None => host == *known,
        })
}

/// What tells one conversation's way from another's, for the digests of its passages.
pub(crate) fn way(head: &RequestHead) -> String {
    let who = head.principal.agent().map_or_else(
        || head.principal.client.ip().to_string(),
        |agent| format!("agent {}", agent.as_str()),
    );
    let scheme = match head.target.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    format!(
        "{who}\n{scheme}://{}:{}",
        head.target.host, head.target.port
    )
}

/// The elements of a request's lists: objects that stand in an array which is a member of the
/// outermost object.
pub(crate) fn passages(body: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut position = 0;
    // The member of the outermost object that is being read, and where an element began.
    let (mut member, mut last_string, mut element) = (0..0, 0..0, 0);
    let is_list = |member: &Range<usize>| LISTS.contains(&slice(body, member.clone()));
    while let Some(&byte) = body.get(position) {
        match byte {
            b'"' => {
                let string = json::string_at(body, position);
                if depth == 1 {
                    last_string = string.content;
                }
                position = string.after;
                continue;
            }
            b':' if depth == 1 => member = last_string.clone(),
            b'{' | b'[' => {
                depth += 1;
                if depth == 3 && byte == b'{' {
                    element = position;
                }
            }
            b'}' | b']' => {
                if depth == 3 && byte == b'}' && is_list(&member) && at(body, element) == b'{' {
                    found.push(element..position + 1);
                    if found.len() >= PASSAGES_MAX {
                        return found;
                    }
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        position += 1;
    }
    found
}

/// A body without some of its passages: each becomes a `0`, so that the others keep their places in
/// their lists. And the way back: positions here and in the body.
pub(crate) fn without(body: &[u8], passages: &[Range<usize>]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut rest = Vec::with_capacity(body.len());
    let mut marks = vec![(0, 0)];
    let mut copied = 0;
    for passage in passages {
        rest.extend_from_slice(slice(body, copied..passage.start));
        rest.push(b'0');
        copied = passage.end;
        marks.push((rest.len(), copied));
    }
    rest.extend_from_slice(slice(body, copied..body.len()));
    (rest, marks)
}

/// Whether a run of base64 in a JSON text is a value that only the provider can read, or a picture:
/// by the name of its member, and because it does not begin with text.
pub(crate) fn is_opaque(bytes: &[u8], run: &Range<usize>) -> bool {
    if run.len() < OPAQUE_BYTES_MIN {
        return false;
    }
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b":;,/+-.=".contains(&byte);
    // `data:image/png;base64,` before the run.
    let start = run.start - count_back(bytes, run.start, 2 * KEY_BYTES_MAX, is_label);
    if before(bytes, start) != b'"' {
        return false;
    }
    let is_space = |byte: u8| byte == b' ';
    let mut end = start - 1;
    end -= count_back(bytes, end, KEY_BYTES_MAX, is_space);
    if before(bytes, end) != b':' {
        return false;
    }
    end -= 1;
    end -= count_back(bytes, end, KEY_BYTES_MAX, is_space);
    if before(bytes, end) != b'"' {
        return false;
    }
    let key_end = end - 1;
    let length = count_back(bytes, key_end, KEY_BYTES_MAX, |byte| byte != b'"');
    OPAQUE.contains(&slice(bytes, key_end - length..key_end)) && !begins_with_text(bytes, run)
}

fn begins_with_text(bytes: &[u8], run: &Range<usize>) -> bool {
    const HEAD_BYTES: usize = 64;
    let head = decode::base64(slice(bytes, run.start..run.start + HEAD_BYTES));
    let text = count_while(&head, 0, HEAD_BYTES, |_| true);
    let graphic = head
        .iter()
        .filter(|byte| matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t'))
        .count();
    graphic * 4 >= text * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told() {
        for host in [
            "api.openai.com",
            "eu.api.openai.com",
            "mine.openai.azure.com",
            "bedrock-runtime.eu-west-1.amazonaws.com",
            "europe-west4-aiplatform.googleapis.com",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "api.openai.com.evil.example",
            "openai.azure.com",
            "example.com",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn passages_are_the_elements_of_the_lists() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":[{"text":"a}]"}]}, {"role":"x"}],"meta":[{"k":1}],"tools":[{"t":{}}]}"#;
        let texts: Vec<&[u8]> = passages(body)
            .into_iter()
            .map(|range| &body[range])
            .collect();
        assert_eq!(
            texts,
            [
                &br#"{"role":"user","content":[{"text":"a}]"}]}"#[..],
                br#"{"role":"x"}"#,
                br#"{"t":{}}"#,
            ]
        );
        assert!(passages(br#"[{"messages":[{"a":1}]}]"#).is_empty());
        assert!(passages(b"{\"messages\":[{").is_empty());
    }

    #[test]
    fn what_is_left_keeps_its_place() {
        let body = br#"{"messages":[{"a":1},{"b":2}]}"#;
        let first = passages(body).remove(0);
        let (rest, marks) = without(body, std::slice::from_ref(&first));
        assert_eq!(rest, br#"{"messages":[0,{"b":2}]}"#);
        assert_eq!(marks, [(0, 0), (14, first.end)]);
    }

    #[test]
    fn only_values_that_are_no_text_are_opaque() {
        let noise = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(8);
        let text = "c29tZSB0ZXh0LCBub3RoaW5nIGJ1dCB0ZXh0LCBhbmQgbW9yZSBvZiBpdCBoZXJl".repeat(8);
        let opaque = |body: &str, value: &str| {
            let start = body.find(value).unwrap_or(0);
            is_opaque(body.as_bytes(), &(start..start + value.len()))
        };
        assert!(opaque(&format!("{{\"data\": \"{noise}\"}}"), &noise));
        assert!(opaque(
            &format!("{{\"url\":\"data:image/png;base64,{noise}\"}}"),
            &noise
        ));
        assert!(!opaque(&format!("{{\"text\":\"{noise}\"}}"), &noise));
        assert!(!opaque(&format!("{{\"signature\":\"{text}\"}}"), &text));
    }
}
