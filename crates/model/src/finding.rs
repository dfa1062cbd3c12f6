//! What was seen in a request: which rule, where, how sure. Never the bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The id of a detection rule, for example `aws-access-key-id`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RuleId(pub Arc<str>);

/// What kind of data a finding is about, for example `credentials`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Category(pub Arc<str>);

/// The built-in categories and their aliases.
pub mod category {
    /// Keys, tokens, passwords, private keys.
    pub const CREDENTIALS: &str = "credentials";
    /// Data about persons: identity numbers, cards, bank accounts, lists of addresses.
    pub const PII: &str = "pii";
    /// Data hidden in names and paths.
    pub const EXFILTRATION: &str = "exfiltration";
    /// Every built-in category.
    pub const ALL: [&str; 3] = [CREDENTIALS, EXFILTRATION, PII];

    /// The category that a word in a configuration names, if it names one.
    #[must_use]
    pub fn canonical(word: &str) -> Option<&'static str> {
        match word {
            CREDENTIALS | "credential-leak" => Some(CREDENTIALS),
            PII => Some(PII),
            EXFILTRATION => Some(EXFILTRATION),
            _ => None,
        }
    }

    /// Whether a word has the form of a category: lower-case letters, digits and hyphens, a letter
    /// first.
    #[must_use]
    pub fn is_name(word: &str) -> bool {
        const BYTES_MAX: usize = 40;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.len() <= BYTES_MAX
            && word.bytes().all(fits)
    }
}

/// How bad it would be if the data left.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Worth a look in a review.
    Low,
    /// Worth a look today.
    Medium,
    /// Access or identity at stake.
    High,
    /// Broad access at stake.
    Critical,
}

/// How sure the detector is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Confidence {
    /// The shape fits.
    Low,
    /// The shape and its surroundings fit.
    Medium,
    /// A checksum, a structure or an unmistakable prefix fits.
    High,
}

/// The part of the request, or what came back.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// The body.
    Body,
    /// A header's value.
    Header,
    /// The host name.
    Host,
    /// The path.
    Path,
    /// The query, name or value.
    Query,
    /// The body of the response.
    Response,
}

/// Where in the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// The part.
    pub place: Place,
    /// The header's or query parameter's name, where there is one; already made safe to show.
    pub name: Option<Arc<str>>,
    /// The views that led there, outermost first, for example `json $.notes[2]`, `base64`.
    pub views: Vec<Arc<str>>,
}

/// A keyed digest of what matched (HMAC-SHA-256, cut to 128 bits): the same value gives the same
/// fingerprint on one installation, and says nothing to anyone without its key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; 16]);

/// Whether a finding lies where such a value belongs, as far as its rule knows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Home {
    /// Not in a place where it belongs; its rule knows who issues such values.
    Astray,
    /// Not in a place where it belongs, whatever the host, or nobody knows of one.
    #[default]
    Elsewhere,
    /// In its place, towards a host that issues or verifies it.
    Issuer,
    /// In its place, towards a host that the rule does not name.
    Place,
    /// In its place; no one host issues such values, so that the policy has to know the host.
    Session,
    /// In its place, towards a host that issues values of this shape. Nothing but the shape says that
    /// it is one of them: it could be anything else of that length.
    Shape,
}

/// What the policy makes of a finding.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Treatment {
    /// The request is refused because of it, or would be.
    Block,
    /// An operator said that its rule is not to speak: what it saw is masked wherever the request is
    /// written down, and it is not recorded.
    Drop,
    /// A credential on its way to its own host, in its own place.
    Expect,
    /// It is recorded, and the request counted as flagged.
    #[default]
    Flag,
    /// An operator reviewed it and let it pass.
    Ignore,
    /// It is recorded, and nothing else.
    Observe,
}

/// One thing that was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The rule that spoke.
    pub rule: RuleId,
    /// Its category.
    pub category: Category,
    /// Its severity.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where.
    pub location: Location,
    /// Which bytes: of the raw body for [`Place::Body`], of the header's value for
    /// [`Place::Header`], of the host for [`Place::Host`], of the path with its query for
    /// [`Place::Path`] and [`Place::Query`]. Where the match lies in a decoded view, the encoded
    /// bytes that hold it.
    pub span: Range<usize>,
    /// The match with its secret part masked, for example `AKIA••••3F7Q`.
    pub redacted: Arc<str>,
    /// Equal for equal values.
    pub fingerprint: Fingerprint,
    /// Whether it lies where it belongs.
    pub home: Home,
    /// What the policy makes of it; a detector says [`Treatment::Flag`].
    pub treatment: Treatment,
}

// === impl RuleId ===

impl RuleId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Category ===

impl Category {
    /// The category as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Severity ===

impl Severity {
    /// The word used in rules and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity that a word names, if it names one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            "critical" => Some(Self::Critical),
            _ => None,
        }
    }
}

// === impl Confidence ===

impl Confidence {
    /// The word used in rules and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The confidence that a word names, if it names one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

// === impl Place ===

impl Place {
    /// The word used in records and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Header => "header",
            Self::Host => "host",
            Self::Path => "path",
            Self::Query => "query",
            Self::Response => "response",
        }
    }
}

// === impl Treatment ===

impl Treatment {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Drop => "drop",
            Self::Expect => "expected",
            Self::Flag => "flag",
            Self::Ignore => "ignored",
            Self::Observe => "observe",
        }
    }
}

// === impl Location ===

impl fmt::Display for Location {
    /// `body > json $.notes[2] > base64`, `header authorization`, `query key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.as_str())?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        for view in &self.views {
            write!(f, " > {view}")?;
        }
        Ok(())
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    const PREFIX: &str = "hmac:";

    /// Reads what [`fmt::Display`] writes: `hmac:` and 32 hexadecimal digits, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = (is_hex && digits.len() == 32).then(|| u128::from_str_radix(digits, 16))?;
        value.ok().map(|value| Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    /// `hmac:` and 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_what_they_print() {
        let fingerprint = Fingerprint([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 254, 255]);
        let text = fingerprint.to_string();
        assert_eq!(text, "hmac:000102030405060708090a0b0c0dfeff");
        assert_eq!(Fingerprint::parse(&text), Some(fingerprint));
        for wrong in ["", "hmac:", "hmac:00", "000102030405060708090a0b0c0dfeff"] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
        assert_eq!(
            Fingerprint::parse(&format!("hmac:+{}", "0".repeat(31))),
            None
        );
    }
}
