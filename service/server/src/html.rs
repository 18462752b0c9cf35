//! What pages have in common: they have no scripts, and load nothing from anywhere.

/// The pages' Content-Security-Policy.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A text within a page, in elements and in attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
