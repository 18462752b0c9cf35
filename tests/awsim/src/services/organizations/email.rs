//! What AWS takes for an e-mail address of an account.

/// What the service model's pattern asks: something, one `@`, and a domain with a dot. Less is refused at once.
pub(super) fn has_email_form(email: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty() && !text.contains(['@']) && !text.contains(char::is_whitespace)
    };
    let dotted = |domain: &str| {
        let dot = domain
            .get(1..)
            .and_then(|rest| rest.find('.'))
            .map(|at| at + 1);
        dot.is_some_and(|dot| dot + 1 < domain.len())
    };
    (6..=64).contains(&email.len())
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| part(local) && part(domain) && dotted(domain))
}

/// What `CreateAccount`'s documentation asks beyond that. More than the form is only found out while creating.
pub(super) fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else {
        return false;
    };
    let label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    has_email_form(email)
        && email.is_ascii()
        && !local.starts_with('.')
        && !local.contains(|c: char| r#""'()<>[]:;,\|%&"#.contains(c) || c.is_ascii_control())
        && domain.chars().all(label)
        && !domain.starts_with(['-', '.'])
        && !domain.ends_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use super::{has_email_form, is_email};

    #[test]
    fn email_grammar() {
        // address, has the model's form, is accepted
        let cases = [
            ("aws+payments@example.com", true, true),
            ("a@b.co", true, true),
            ("a@b.c", false, false),
            ("no-at.example.com", false, false),
            ("two@at@example.com", false, false),
            ("with space@example.com", false, false),
            ("nodot@example", false, false),
            (".dot@example.com", true, false),
            ("per%cent@example.com", true, false),
            ("a,b@example.com", true, false),
            ("quo'te@example.com", true, false),
            ("ümlaut@example.com", true, false),
            ("a@-example.com", true, false),
            ("a@example.com-", true, false),
            ("a@exam_ple.com", true, false),
        ];
        for (email, form, accepted) in cases {
            assert_eq!(
                (has_email_form(email), is_email(email)),
                (form, accepted),
                "{email}"
            );
        }
        let long = format!("{}@example.com", "a".repeat(53));
        assert!(!has_email_form(&long), "65 characters");
        assert!(is_email(&long[1..]), "64 characters");
    }
}
