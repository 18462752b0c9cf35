//! Who is who, and how a resource's policy names them.

use landfall_policy::{Context, Decision, Layers, Policy, PrincipalView};

use crate::precedence::{ACCOUNT, ROLE, SESSION, USER, allow, ask, policy, session, user};

#[test]
fn principals_are_read_from_arns() {
    assert_eq!(session().arn(), Some(SESSION));
    assert_eq!(session().issuer_arn(), Some(ROLE));
    assert_eq!(session().account(), Some(ACCOUNT));
    assert_eq!(Context::of(&session()).get("AWS:principalarn"), [ROLE]);
    assert_eq!(Context::of(&user()).get("aws:username"), ["alice"]);
    assert_eq!(
        PrincipalView::from_arn(SESSION).unwrap().issuer_arn(),
        Some("arn:aws:iam::111122223333:role/Reader")
    );
    for wrong in [
        "",
        "arn:aws:iam::111122223333:role/Reader",
        "arn:aws:sts::111122223333:assumed-role/Reader",
    ] {
        assert_eq!(PrincipalView::from_arn(wrong), None, "{wrong}");
    }
}

/// Within one account: what a resource's policy grants, and what still limits it, by how it names the principal.
#[test]
fn how_a_resource_names_the_principal_decides_what_limits_it() {
    let empty = policy("Allow", None)
        .to_string()
        .replace("s3:*", "ec2:*")
        .parse::<Policy>()
        .unwrap();
    // Who asks, whom the resource's policy names, and whether that is enough: without identity policy, with a boundary
    // and with a session policy that are silent.
    let rows = [
        (user(), USER, [true, true, true]),
        (user(), "*", [true, true, true]),
        (user(), ACCOUNT, [false, false, false]),
        (
            user(),
            "arn:aws:iam::111122223333:root",
            [false, false, false],
        ),
        (
            user(),
            "arn:aws:iam::111122223333:user/bob",
            [false, false, false],
        ),
        (session(), SESSION, [true, true, true]),
        (session(), "*", [true, true, true]),
        (session(), ROLE, [true, false, false]),
        (session(), ACCOUNT, [false, false, false]),
        (
            session().with_unique_id("AROAEXAMPLEEXAMPLE:job"),
            "AROAEXAMPLEEXAMPLE",
            [true, false, false],
        ),
        (
            user().with_unique_id("AIDAEXAMPLEEXAMPLE"),
            "AIDAEXAMPLEEXAMPLE",
            [true, true, true],
        ),
    ];
    for (principal, named, expected) in rows {
        let resource = policy("Allow", Some(named));
        let free = Layers {
            resource: Some(&resource),
            ..Layers::default()
        };
        let layers = [
            free,
            Layers {
                boundary: Some(&empty),
                ..free
            },
            Layers {
                session: Some(&empty),
                ..free
            },
        ];
        let found = layers.map(|layers| ask(&layers, &principal).is_allowed());
        assert_eq!(found, expected, "{named} for {:?}", principal.arn());
    }
    let identity = [allow()];
    let account = policy("Allow", Some(ACCOUNT));
    let layers = Layers {
        identity: &identity,
        resource: Some(&account),
        ..Layers::default()
    };
    assert_eq!(ask(&layers, &user()), Decision::Allowed);
}

#[test]
fn services_and_the_anonymous_have_the_resource_policy_alone() {
    let service = PrincipalView::service("cloudtrail.amazonaws.com");
    let named = policy("Allow", Some("cloudtrail.amazonaws.com"));
    let everyone = policy("Allow", Some("*"));
    let account = policy("Allow", Some(ACCOUNT));
    for (principal, resource, expected) in [
        (&service, Some(&named), true),
        (&service, Some(&account), false),
        (&service, None, false),
        (&PrincipalView::anonymous(), Some(&everyone), true),
        (&PrincipalView::anonymous(), Some(&named), false),
        (&PrincipalView::anonymous(), None, false),
    ] {
        let layers = Layers {
            resource,
            resource_account: Some(ACCOUNT),
            ..Layers::default()
        };
        assert_eq!(ask(&layers, principal).is_allowed(), expected);
    }
}

/// AWS documents that account, role and session must all be listed to be spared.
#[test]
fn a_deny_for_all_others_spares_only_who_is_listed_in_full() {
    let identity = [allow()];
    let rows: [(&[&str], bool); 4] = [
        (&[SESSION, ROLE, "arn:aws:iam::111122223333:root"], true),
        (&[ACCOUNT, ROLE, SESSION], true),
        (&[ROLE, SESSION], false),
        (&[ACCOUNT], false),
    ];
    for (spared, expected) in rows {
        let document = format!(
            r#"{{"Statement":{{"Effect":"Deny","NotPrincipal":{{"AWS":{spared:?}}},"Action":"*","Resource":"*"}}}}"#
        );
        let resource = Policy::parse(&document).unwrap();
        let layers = Layers {
            identity: &identity,
            resource: Some(&resource),
            ..Layers::default()
        };
        assert_eq!(
            ask(&layers, &session()).is_allowed(),
            expected,
            "{spared:?}"
        );
    }
    // The account is its root user.
    for (spared, expected) in [
        (ACCOUNT, true),
        ("arn:aws:iam::111122223333:root", true),
        (ROLE, false),
    ] {
        let document = format!(
            r#"{{"Statement":{{"Effect":"Deny","NotPrincipal":{{"AWS":"{spared}"}},"Action":"*","Resource":"*"}}}}"#
        );
        let resource = Policy::parse(&document).unwrap();
        let layers = Layers {
            resource: Some(&resource),
            ..Layers::default()
        };
        let root = PrincipalView::root(ACCOUNT);
        assert_eq!(ask(&layers, &root).is_allowed(), expected, "{spared}");
    }
}

#[test]
fn of_several_grants_the_most_direct_counts() {
    let account = policy("Allow", Some(ACCOUNT)).to_string();
    let itself = policy("Allow", Some(USER)).to_string();
    let statement = |document: &str| {
        let start = document.find('[').unwrap() + 1;
        document[start..document.len() - 2].to_owned()
    };
    let (account, itself) = (
        statement(&account),
        statement(&itself).replace(r#""Sid":"S","#, ""),
    );
    for statements in [format!("{account},{itself}"), format!("{itself},{account}")] {
        let resource: Policy = format!(r#"{{"Statement":[{statements}]}}"#)
            .parse()
            .unwrap();
        let layers = Layers {
            resource: Some(&resource),
            ..Layers::default()
        };
        assert_eq!(ask(&layers, &user()), Decision::Allowed, "{statements}");
    }
}

/// "The NotPrincipal element with a Deny effect will always deny any IAM principal that has a permissions boundary."
#[test]
fn a_deny_for_all_others_spares_nobody_with_a_boundary() {
    let identity = [allow()];
    let listed = format!(r#"["{SESSION}","{ROLE}","{ACCOUNT}"]"#);
    let document = |effect: &str, rest: &str| {
        Policy::parse(&format!(
            r#"{{"Statement":{{"Effect":"{effect}","NotPrincipal":{{"AWS":{listed}}},"Action":"{rest}","Resource":"*"}}}}"#
        ))
        .unwrap()
    };
    let wide = allow();
    for (resource, boundary, expected) in [
        (document("Deny", "s3:*"), None, true),
        (document("Deny", "s3:*"), Some(&*wide), false),
        (document("Deny", "ec2:*"), Some(&*wide), true),
        (document("Allow", "s3:*"), Some(&*wide), true),
    ] {
        let layers = Layers {
            identity: &identity,
            resource: Some(&resource),
            boundary,
            ..Layers::default()
        };
        assert_eq!(
            ask(&layers, &session()).is_allowed(),
            expected,
            "{resource} {boundary:?}"
        );
    }
}

#[test]
fn user_ids_are_those_that_aws_documents() {
    let federated =
        PrincipalView::from_arn("arn:aws:sts::111122223333:federated-user/bob").unwrap();
    for (principal, expected) in [
        (PrincipalView::root(ACCOUNT), Some(ACCOUNT)),
        (federated, Some("111122223333:bob")),
        (PrincipalView::anonymous(), Some("anonymous")),
        (session(), None),
        (
            session().with_unique_id("AROAEXAMPLEEXAMPLE:job"),
            Some("AROAEXAMPLEEXAMPLE:job"),
        ),
    ] {
        let context = Context::of(&principal);
        assert_eq!(
            context.get("aws:userid").first().map(String::as_str),
            expected,
            "{principal:?}"
        );
    }
}
