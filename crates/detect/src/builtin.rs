//! The embedded rule files.

/// Each file's name and content.
pub(crate) const FILES: [(&str, &str); 9] = [
    ("ai.yaml", include_str!("../../../rules/ai.yaml")),
    ("chat.yaml", include_str!("../../../rules/chat.yaml")),
    ("cloud.yaml", include_str!("../../../rules/cloud.yaml")),
    ("code.yaml", include_str!("../../../rules/code.yaml")),
    (
        "database.yaml",
        include_str!("../../../rules/database.yaml"),
    ),
    ("generic.yaml", include_str!("../../../rules/generic.yaml")),
    ("keys.yaml", include_str!("../../../rules/keys.yaml")),
    ("payment.yaml", include_str!("../../../rules/payment.yaml")),
    ("pii.yaml", include_str!("../../../rules/pii.yaml")),
];
