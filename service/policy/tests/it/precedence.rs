//! The order in which policies count: the cases of *Policy evaluation logic* in the IAM User Guide.

use std::sync::Arc;

use landfall_policy::{
    Context, Decision, Layer, Layers, Policy, PrincipalView, Reason, Request, decide,
};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";
const BUCKET: &str = "arn:aws:s3:::bucket/key";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/team/Reader";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Reader/job";
pub(crate) const USER: &str = "arn:aws:iam::111122223333:user/alice";

pub(crate) fn policy(effect: &str, principal: Option<&str>) -> Policy {
    let principal = principal.map_or(String::new(), |name| match name {
        "*" => r#""Principal":"*","#.to_owned(),
        name if name.ends_with(".amazonaws.com") => {
            format!(r#""Principal":{{"Service":"{name}"}},"#)
        }
        name => format!(r#""Principal":{{"AWS":"{name}"}},"#),
    });
    Policy::parse(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"S","Effect":"{effect}",{principal}"Action":"s3:*","Resource":"*"}}]}}"#
    ))
    .unwrap()
}

pub(crate) fn allow() -> Arc<Policy> {
    Arc::new(policy("Allow", None))
}

fn deny() -> Arc<Policy> {
    Arc::new(policy("Deny", None))
}

pub(crate) fn ask(layers: &Layers<'_>, principal: &PrincipalView) -> Decision {
    let context = Context::of(principal);
    let request = Request {
        principal,
        action: "s3:GetObject",
        resource: BUCKET,
        context: &context,
    };
    decide(layers, &request)
}

/// Who denied: the layer, and whether by a statement of its own.
fn denied_by(decision: &Decision) -> Option<(Layer, bool)> {
    decision
        .denial()
        .map(|denial| (denial.layer, matches!(denial.reason, Reason::Explicit(_))))
}

pub(crate) fn session() -> PrincipalView {
    PrincipalView::role_session(ROLE, "job").unwrap()
}

pub(crate) fn user() -> PrincipalView {
    PrincipalView::from_arn(USER).unwrap()
}

#[test]
fn nothing_is_allowed_unless_a_policy_does() {
    for principal in [user(), session()] {
        let denied = ask(&Layers::default(), &principal);
        assert_eq!(denied_by(&denied), Some((Layer::Identity, false)));
        let identity = [allow()];
        let layers = Layers {
            identity: &identity,
            ..Layers::default()
        };
        assert_eq!(ask(&layers, &principal), Decision::Allowed);
    }
    assert_eq!(
        ask(&Layers::default(), &PrincipalView::root(ACCOUNT)),
        Decision::Allowed
    );
}

#[test]
fn an_explicit_deny_wins_in_every_layer() {
    let (identity, both) = ([allow()], [allow(), deny()]);
    let free = Layers {
        identity: &identity,
        ..Layers::default()
    };
    let (open, shut) = (
        vec![vec![allow()]],
        vec![vec![allow()], vec![allow(), deny()]],
    );
    let named = policy("Deny", Some(USER));
    let deny = deny();
    for (layers, expected) in [
        (
            Layers {
                identity: &both,
                ..free
            },
            Layer::Identity,
        ),
        (
            Layers {
                boundary: Some(&deny),
                ..free
            },
            Layer::Boundary,
        ),
        (
            Layers {
                session: Some(&deny),
                ..free
            },
            Layer::Session,
        ),
        (
            Layers {
                resource: Some(&named),
                ..free
            },
            Layer::Resource,
        ),
        (
            Layers {
                scps: &shut,
                ..free
            },
            Layer::Scp { level: 1 },
        ),
        (
            Layers {
                rcps: &shut,
                scps: &open,
                ..free
            },
            Layer::Rcp { level: 1 },
        ),
    ] {
        assert_eq!(denied_by(&ask(&layers, &user())), Some((expected, true)));
    }
}

#[test]
fn every_level_of_scps_must_allow() {
    let identity = [allow()];
    let free = Layers {
        identity: &identity,
        ..Layers::default()
    };
    let other = || {
        Arc::new(
            policy("Allow", None)
                .to_string()
                .replace("s3:*", "ec2:*")
                .parse::<Policy>()
                .unwrap(),
        )
    };
    let rows = [
        (vec![vec![allow()], vec![allow()], vec![allow()]], None),
        (vec![vec![allow()], vec![other()], vec![allow()]], Some(1)),
        (
            vec![vec![allow()], vec![other(), allow()], vec![allow()]],
            None,
        ),
        (vec![vec![allow()], vec![]], Some(1)),
    ];
    for (scps, denied) in rows {
        let layers = Layers {
            scps: &scps,
            ..free
        };
        let expected = denied.map(|level| (Layer::Scp { level }, false));
        for principal in [user(), session(), PrincipalView::root(ACCOUNT)] {
            assert_eq!(denied_by(&ask(&layers, &principal)), expected);
        }
        let linked = "arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
        let linked = PrincipalView::role_session(linked, "config").unwrap();
        assert_eq!(
            ask(&layers, &linked),
            Decision::Allowed,
            "service-linked roles are not bound"
        );
        let service = policy("Allow", Some("config.amazonaws.com"));
        let layers = Layers {
            resource: Some(&service),
            ..layers
        };
        assert_eq!(
            ask(&layers, &PrincipalView::service("config.amazonaws.com")),
            Decision::Allowed
        );
    }
}

#[test]
fn boundaries_and_session_policies_limit_identity_policies() {
    let identity = [allow()];
    let silent = policy("Allow", None)
        .to_string()
        .replace("s3:*", "ec2:*")
        .parse::<Policy>()
        .unwrap();
    let wide = allow();
    let free = Layers {
        identity: &identity,
        ..Layers::default()
    };
    for (layers, expected) in [
        (
            Layers {
                boundary: Some(&wide),
                session: Some(&wide),
                ..free
            },
            None,
        ),
        (
            Layers {
                boundary: Some(&silent),
                ..free
            },
            Some((Layer::Boundary, false)),
        ),
        (
            Layers {
                session: Some(&silent),
                ..free
            },
            Some((Layer::Session, false)),
        ),
        (
            Layers {
                boundary: Some(&wide),
                identity: &[],
                ..free
            },
            Some((Layer::Identity, false)),
        ),
        (
            Layers {
                session: Some(&wide),
                identity: &[],
                ..free
            },
            Some((Layer::Identity, false)),
        ),
    ] {
        assert_eq!(denied_by(&ask(&layers, &session())), expected);
    }
    let bounded = Layers {
        boundary: Some(&silent),
        ..Layers::default()
    };
    assert_eq!(
        ask(&bounded, &PrincipalView::root(ACCOUNT)),
        Decision::Allowed,
        "the root user has no boundary"
    );
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let identity = [allow()];
    let there = Layers {
        resource_account: Some(OTHER),
        ..Layers::default()
    };
    for named in [USER, ACCOUNT, "arn:aws:iam::111122223333:root", "*"] {
        let resource = policy("Allow", Some(named));
        let both = Layers {
            identity: &identity,
            resource: Some(&resource),
            ..there
        };
        assert_eq!(ask(&both, &user()), Decision::Allowed, "{named}");
        let theirs = Layers {
            resource: Some(&resource),
            ..there
        };
        assert_eq!(
            denied_by(&ask(&theirs, &user())),
            Some((Layer::Identity, false)),
            "{named}"
        );
        let silent = policy("Allow", Some(OTHER));
        let unnamed = Layers {
            resource: Some(&silent),
            ..both
        };
        assert_eq!(
            denied_by(&ask(&unnamed, &user())),
            Some((Layer::Resource, false))
        );
    }
    let ours = Layers {
        identity: &identity,
        ..there
    };
    assert_eq!(
        denied_by(&ask(&ours, &user())),
        Some((Layer::Resource, false))
    );
    assert_eq!(
        denied_by(&ask(&there, &PrincipalView::root(ACCOUNT))),
        Some((Layer::Resource, false))
    );
}

#[test]
fn trust_policies_must_allow() {
    let identity = [allow()];
    let rows = [
        (USER, false, true),
        (USER, true, true),
        (ACCOUNT, false, false),
        (ACCOUNT, true, true),
        (OTHER, true, false),
    ];
    for (trusted, own, expected) in rows {
        let trust = policy("Allow", Some(trusted));
        let layers = Layers {
            identity: if own { &identity } else { &[] },
            resource: Some(&trust),
            resource_must_allow: true,
            ..Layers::default()
        };
        assert_eq!(
            ask(&layers, &user()).is_allowed(),
            expected,
            "{trusted} {own}"
        );
    }
}

#[test]
fn a_denial_explains_itself() {
    let narrow = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"Mfa","Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
        {"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":["1","2"]}}},
        {"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}"#;
    let identity = [Arc::new(Policy::parse(narrow).unwrap())];
    let layers = Layers {
        identity: &identity,
        ..Layers::default()
    };
    let decision = ask(&layers, &user());
    let denial = decision.denial().unwrap();
    assert_eq!(
        denial.to_string(),
        "no identity-based policy allows it; \
         statement `Mfa` of policy 0 wants Bool aws:MultiFactorAuthPresent true, which the request lacks; \
         statement 1 of policy 0 wants StringEquals aws:PrincipalAccount 1 or 2, and the request has 111122223333"
    );
    assert_eq!(
        denial.aws_message("s3:GetObject"),
        "because no identity-based policy allows the s3:GetObject action"
    );
    let scps = [vec![allow()], vec![allow(), deny()]];
    let layers = Layers {
        scps: &scps,
        ..Layers::default()
    };
    let decision = ask(&layers, &user());
    let denial = decision.denial().unwrap();
    assert_eq!(
        denial.to_string(),
        "statement `S` of policy 1 denies it (service control policy at level 1 below the root)"
    );
    assert_eq!(
        denial.aws_message("s3:GetObject"),
        "with an explicit deny in a service control policy"
    );
}
