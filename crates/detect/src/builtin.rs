//! The embedded rule files.

/// Makes the list of all files with their contents.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../rules/", $name)))),*]
    };
}

/// Each file's name and content.
pub(crate) const FILES: [(&str, &str); 30] = files![
    "a-m-business.yaml",
    "a-m-developer.yaml",
    "a-m-platforms.yaml",
    "ai.yaml",
    "by-name-ai.yaml",
    "by-name-business.yaml",
    "by-name-data.yaml",
    "by-name-developer.yaml",
    "by-name-platforms.yaml",
    "chat.yaml",
    "cloud.yaml",
    "code.yaml",
    "cookies.yaml",
    "database.yaml",
    "exfiltration.yaml",
    "files.yaml",
    "generic.yaml",
    "hosting.yaml",
    "keys.yaml",
    "mail.yaml",
    "n-z-ai.yaml",
    "n-z-business.yaml",
    "n-z-developer.yaml",
    "n-z-platforms.yaml",
    "observability.yaml",
    "payment.yaml",
    "pii.yaml",
    "saas.yaml",
    "urls.yaml",
    "webhooks.yaml",
];
