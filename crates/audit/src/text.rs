//! Text as a record holds it: bounded, whatever the caller passed. And how ids and instants are
//! written.

use std::borrow::Cow;
use std::fmt;

use oktsec_model::{
    Action, AgentName, Category, Confidence, Fingerprint, HttpVersion, IdentitySource, List,
    Reason, RuleId, Scheme, Severity, Status, Treatment,
};
use serde::{Deserialize, Deserializer, Serialize};

/// A text of at most [`Text::BYTES_MAX`] bytes; what is longer is cut.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Text(Cow<'static, str>);

// === impl Text ===

impl Text {
    /// The longest text, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 2048;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Text {
    fn from(mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(Self::BYTES_MAX));
        Self(Cow::Owned(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let end = text.floor_char_boundary(Self::BYTES_MAX);
        Self(Cow::Owned(text.get(..end).unwrap_or_default().to_owned()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// The words of the model's enums are short and static: no copy is made.
macro_rules! from_words {
    ($($type:ty => $method:ident),* $(,)?) => {
        $(impl From<$type> for Text {
            fn from(word: $type) -> Self {
                Self(Cow::Borrowed(word.$method()))
            }
        })*
    };
}

from_words!(
    Action => as_str,
    Confidence => as_str,
    HttpVersion => as_str,
    IdentitySource => as_str,
    List => as_str,
    Reason => code,
    Scheme => as_str,
    Severity => as_str,
    Status => as_str,
    Treatment => as_str,
);

impl From<&AgentName> for Text {
    fn from(name: &AgentName) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&RuleId> for Text {
    fn from(rule: &RuleId) -> Self {
        Self::from(rule.as_str())
    }
}

impl From<&Category> for Text {
    fn from(category: &Category) -> Self {
        Self::from(category.as_str())
    }
}

impl From<Fingerprint> for Text {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::from(fingerprint.to_string())
    }
}

/// Instants as microseconds since the epoch: whole numbers below 2^53 until the year 2255.
pub(crate) mod micros {
    use oktsec_model::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde prescribes the signature"
    )]
    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.as_micros())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_micros)
    }
}

/// Ids in their hyphenated form, alone, optional or in a list.
pub(crate) mod exchange_id {
    use std::borrow::Cow;

    use oktsec_model::ExchangeId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(id: &ExchangeId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ExchangeId, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        ExchangeId::parse(&text).ok_or_else(|| D::Error::custom("not an exchange id"))
    }

    pub(crate) mod option {
        use super::{Cow, Deserialize, Deserializer, Error, ExchangeId, Serializer};

        #[expect(clippy::ref_option, reason = "serde prescribes the signature")]
        pub(crate) fn serialize<S: Serializer>(
            id: &Option<ExchangeId>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match id {
                Some(id) => to.collect_str(id),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<ExchangeId>, D::Error> {
            let text = Option::<Cow<'de, str>>::deserialize(from)?;
            text.map(|text| ExchangeId::parse(&text).ok_or_else(|| D::Error::custom("not an id")))
                .transpose()
        }
    }

    pub(crate) mod list {
        use super::{Cow, Deserialize, Deserializer, Error, ExchangeId, Serializer};

        pub(crate) fn serialize<S: Serializer>(
            ids: &[ExchangeId],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(ids.iter().map(ToString::to_string))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<ExchangeId>, D::Error> {
            let texts = Vec::<Cow<'de, str>>::deserialize(from)?;
            let ids = texts.iter().map(|text| ExchangeId::parse(text));
            ids.collect::<Option<_>>()
                .ok_or_else(|| D::Error::custom("not an id"))
        }
    }
}
