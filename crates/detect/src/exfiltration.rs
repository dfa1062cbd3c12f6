//! Data that leaves in the name of a host or in a path: labels and segments that are encoded rather
//! than named. What is ordinary on the web does not count: a hash or a UUID, the id of a document or
//! a deployment, a preview's name, an internationalised name, a JWT (which is a credential). Which
//! hosts are known to an agent is for the caller to say.

mod kind;

use std::ops::Range;

use oktsec_model::Confidence;

use crate::bytes::slice;
use kind::Kind;

/// Encoded data, and how sure that is.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) range: Range<usize>,
    pub(crate) confidence: Confidence,
}

/// A part of a host or a path.
struct Part<'a> {
    range: Range<usize>,
    bytes: &'a [u8],
    kind: Kind,
    /// How many of its characters are encoded data.
    encoded: usize,
}

/// Labels of at least so many characters can be data by themselves.
const LABEL_CHARS_MIN: usize = 24;
/// So much in several labels together, too.
const LABELS_CHARS_MIN: usize = 40;
/// So much in one segment of a path, or in several in a row.
const SEGMENTS_CHARS_MIN: usize = 48;
/// Ids of documents and hooks stay below this.
const SEGMENTS_CHARS_SURE: usize = 64;
/// What decodes to text is no hash, however short.
const TEXT_CHARS_MIN: usize = 20;

/// Encoded data in the labels of a host, the last two left out. All labels count together; a
/// single label that is a hash, a UUID or an IPFS address, or an encoded part of a label that
/// otherwise consists of words, is how content networks and deployments are named.
pub(crate) fn in_host(host: &[u8]) -> Option<Encoded> {
    let mut parts = split(host, b'.');
    parts.truncate(parts.len().saturating_sub(2));
    for part in &mut parts {
        (part.kind, part.encoded) = kind::of_label(part.bytes);
    }
    judge_together(&mut parts);
    if let Some(range) = hex_text(&parts) {
        let confidence = Confidence::High;
        return Some(Encoded { range, confidence });
    }
    let is_data = |part: &&Part<'_>| part.encoded > 0;
    let data: Vec<&Part<'_>> = parts.iter().filter(is_data).collect();
    let range = data.first()?.range.start..data.last()?.range.end;
    let total: usize = data.iter().map(|part| part.encoded).sum();
    let text: Vec<u8> = data.iter().flat_map(|part| part.bytes).copied().collect();
    let longest = data.iter().map(|part| part.encoded).max().unwrap_or(0);
    let ordinary = data.iter().filter(|part| part.kind.is_ordinary()).count();
    let confidence = if total >= TEXT_CHARS_MIN && kind::spells_text(&text) {
        Confidence::High
    } else if data.len() > 1 && total >= LABELS_CHARS_MIN && ordinary < 2
        || data.len() > 2 && total >= 2 * LABELS_CHARS_MIN
    {
        Confidence::Medium
    } else if data.len() > 1 && total >= LABELS_CHARS_MIN {
        Confidence::Low
    } else if data.len() == 1 && ordinary == 0 && longest >= LABEL_CHARS_MIN {
        if longest >= LABELS_CHARS_MIN {
            Confidence::Medium
        } else {
            Confidence::Low
        }
    } else {
        return None;
    };
    Some(Encoded { range, confidence })
}

/// Encoded data in the segments of a path, one or several in a row. Hashes and UUIDs do not count,
/// unless there are more of them in a row than any address of content needs.
pub(crate) fn in_path(path: &[u8]) -> Vec<Encoded> {
    const ORDINARY_MAX: usize = 4;
    let end = memchr::memchr2(b'?', b'#', path).unwrap_or(path.len());
    let path = slice(path, 0..end);
    let mut found = Vec::new();
    if path.len() < SEGMENTS_CHARS_MIN {
        return found;
    }
    let mut parts = split(path, b'/');
    parts.retain(|part| !part.bytes.is_empty());
    for part in &mut parts {
        (part.kind, part.encoded) = kind::of_segment(part.bytes);
    }
    judge_together(&mut parts);
    for run in parts.chunk_by(|one, other| one.encoded > 0 && other.encoded > 0) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let counted = |part: &&Part<'_>| run.len() > ORDINARY_MAX || !part.kind.is_ordinary();
        let total: usize = run.iter().filter(counted).map(|part| part.encoded).sum();
        let text: Vec<u8> = run.iter().flat_map(|part| part.bytes).copied().collect();
        let confidence =
            if first.encoded > 0 && text.len() >= TEXT_CHARS_MIN && kind::spells_text(&text) {
                if kind::spells_address(&text) {
                    Confidence::Low
                } else {
                    Confidence::High
                }
            } else if total >= SEGMENTS_CHARS_SURE {
                Confidence::Medium
            } else if total >= SEGMENTS_CHARS_MIN {
                Confidence::Low
            } else {
                continue;
            };
        found.push(Encoded {
            range: first.range.start..last.range.end,
            confidence,
        });
    }
    found
}

/// Short parts in a row that could be ids are data where all of them together look random: chance
/// plays tricks with few characters.
fn judge_together(parts: &mut [Part<'_>]) {
    const ID_CHARS_MIN: usize = 8;
    let is_id = |part: &Part<'_>| {
        part.bytes.len() >= ID_CHARS_MIN
            && part.kind != Kind::Ordinary
            && part.bytes.iter().any(u8::is_ascii_digit)
            && part.bytes.iter().all(u8::is_ascii_alphanumeric)
    };
    for run in parts.chunk_by_mut(|one, other| is_id(one) && is_id(other)) {
        let together: Vec<u8> = run.iter().flat_map(|part| part.bytes).copied().collect();
        if run.len() < 2 || together.len() < LABELS_CHARS_MIN {
            continue;
        }
        let kind = kind::of_part(&together);
        if !kind.is_ordinary() {
            for part in run {
                (part.kind, part.encoded) = (kind, part.bytes.len());
            }
        }
    }
}

/// Labels of hexadecimal digits that spell a text together, each as it is may be a number.
fn hex_text(parts: &[Part<'_>]) -> Option<Range<usize>> {
    const LABEL_DIGITS_MIN: usize = 4;
    let is_hex = |part: &&Part<'_>| {
        part.bytes.len() >= LABEL_DIGITS_MIN && part.bytes.iter().all(u8::is_ascii_hexdigit)
    };
    let labels: Vec<&Part<'_>> = parts.iter().filter(is_hex).collect();
    let text: Vec<u8> = labels.iter().flat_map(|part| part.bytes).copied().collect();
    let range = labels.first()?.range.start..labels.last()?.range.end;
    (text.len() >= TEXT_CHARS_MIN && kind::spells_text(&text)).then_some(range)
}

fn split(bytes: &[u8], separator: u8) -> Vec<Part<'_>> {
    let mut start = 0;
    bytes
        .split(|&byte| byte == separator)
        .map(|part| {
            let range = start..start + part.len();
            start = range.end + 1;
            Part {
                range,
                bytes: part,
                kind: Kind::Name,
                encoded: 0,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> Option<Confidence> {
        in_host(text.as_bytes()).map(|encoded| encoded.confidence)
    }

    fn path(text: &str) -> Option<Confidence> {
        in_path(text.as_bytes())
            .into_iter()
            .map(|encoded| encoded.confidence)
            .max()
    }

    #[test]
    fn ordinary_hosts() {
        for text in [
            "api.openai.com",
            "www.internationalization-and-localization-guide.example.org",
            "ec2-203-0-113-25.compute-1.amazonaws.com",
            "d111111abcdef8.cloudfront.net",
            "my-bucket-with-a-long-name-2024.s3.eu-central-1.amazonaws.com",
            "0123456789abcdef0123456789abcdef.gr7.us-east-1.eks.amazonaws.com",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.preview.example.dev",
            "65f1c2d3e4b5a6f7c8d9e0f1--site.netlify.app",
            "my-app-git-feature-login-a1b2c3d4e-team.vercel.app",
            "123e4567-e89b-42d3-a456-426614174000.cfargotunnel.com",
            "search-logs-abcd5efgh2ijklm3nopqrs4tuv.us-east-1.es.amazonaws.com",
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi.ipfs.dweb.link",
            "xn--bcher-kva.example.com",
            "xn--fiqs8s.xn--55qw42g.example.cn",
            "donaudampfschifffahrtsgesellschaft.example.de",
            "server01cluster02node03rack04.prod.example.com",
            "8.b.d.0.1.0.0.2.ip6.arpa",
            "kubernetes.default.svc.cluster.local",
            "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "internal-k8s-ingress-7f3a9c2b1d-1234567890.us-east-1.elb.amazonaws.com",
            "o123456.ingest.sentry.io",
            "fluffy-space-xylophone-v6q5w7xrj4c6w9p-3000.app.github.dev",
            "203.0.113.7",
            "localhost",
            "",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn data_in_hosts() {
        for (text, confidence) in [
            // Hexadecimal and base32 text.
            ("414b494137513257345a4b34.evil.example", Confidence::High),
            (
                "73656372657420.6461746120696e.evil.example.net",
                Confidence::High,
            ),
            (
                "onswg4tfoqqgs4zanbsxezjanf2ca5dp.t.example.com",
                Confidence::High,
            ),
            // Random bytes in two labels, in several, in one.
            (
                "7f3a9c2b1de84f60a5b7c8d9e0f1a2b3c4.d5e6f708192a3b4c5d6e7f8091a2b3.x.example.com",
                Confidence::Medium,
            ),
            (
                "8f3a9c2b.1de84f60.a5b7c8d9.e0f1a2b3.c4d5e6f7.x.example.com",
                Confidence::Medium,
            ),
            (
                "q3zk7vw2m5xt4jn6pd3hr7bq2yc5gk7f4vx2m6ztq5w3.example.com",
                Confidence::Medium,
            ),
            ("q3zk7vw2m5xt4jn6pd3hr7bq2yc.example.com", Confidence::Low),
        ] {
            assert_eq!(host(text), Some(confidence), "{text}");
        }
        let found = in_host(b"www.414b494137513257345a4b34.evil.example").expect("data");
        assert_eq!(found.range, 4..28);
    }

    #[test]
    fn ordinary_paths() {
        for text in [
            "/v1/chat/completions",
            "/repos/owner/name/commits/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b/status",
            "/files/123e4567-e89b-42d3-a456-426614174000/0e984725-c51c-4bf4-9960-e1c80e27aba0/report.pdf",
            "/packages/5d/ea/0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2/name-1.0-py3-none-any.whl",
            "/v2/library/alpine/blobs/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "/debian/dists/stable/main/by-hash/SHA256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "/document/d/1aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9d/edit",
            "/watch/dQw4w9WgXcQ",
            "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/index.html",
            "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKbnrD/a.txt",
            "/react/-/react-18.2.0.tgz",
            "/blog/2024/05/17/How-To-Build-A-Language-Model-From-Scratch-In-100-Lines-Of-Python",
            "/cb/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U/x",
            "/services/T0ABCDEF1/B0ABCDEF2/x7Yp2Qm9Lk4Rn8Zs3Wv6Tb1C",
            "/img/w_1200,h_630,c_fill/v1712345678/products/summer-collection/blue-shirt.jpg",
            "/org/apache/maven/plugins/maven-compiler-plugin/3.11.0/maven-compiler-plugin-3.11.0.pom",
            "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "/api/123456789012345678901234567890123456789012345678901234567890",
            "/src/ThisIsAnEnterpriseFactoryBeanProviderServiceLocatorImplementation2Test.java",
        ] {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn data_in_paths() {
        for (text, confidence) in [
            (
                "/x/73656372657420646174612069732068657265206e6f77/y",
                Confidence::High,
            ),
            (
                "/x/c2VjcmV0IGRhdGEgaXMgaGVyZSBub3csIHRha2UgaXQ/y",
                Confidence::High,
            ),
            (
                "/x/c2VjcmV0IGRhdGEg/aXMgaGVyZSBub3cs/IHRha2UgaXQh/y",
                Confidence::High,
            ),
            (
                "/p/aHR0cHM6Ly9leGFtcGxlLmNvbS9pbWFnZXMvYmx1ZS1zaGlydC5qcGc",
                Confidence::Low,
            ),
            (
                "/x/mX3rT9vQ2kLp8ZsW5yBn7HdF4jGc6RtV1aUe0oIiK9wMxN2bPqYz",
                Confidence::Low,
            ),
            (
                "/x/mX3rT9vQ2kLp8ZsW5yBn7HdF4jGc6RtV1aUe/0oIiK9wMxN2bPqYz4TfD7hJk3LsQ8vX",
                Confidence::Medium,
            ),
            (
                "/a/7f3a9c2b1de84f60a5b7/c8d9e0f1a2b3c4d5e6f7/08192a3b4c5d6e7f8091/a2b3c4d5e6f708192a3b",
                Confidence::Medium,
            ),
        ] {
            assert_eq!(path(text), Some(confidence), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ranges_exist(text in "[a-zA-Z0-9./-]{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for bytes in [text.into_bytes(), bytes] {
                for found in in_path(&bytes).into_iter().chain(in_host(&bytes)) {
                    prop_assert!(found.range.start < found.range.end && found.range.end <= bytes.len());
                }
            }
        }
    }
}
