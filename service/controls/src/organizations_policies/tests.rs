use super::*;

const A: &str = "landfall-aaaaaaaaaaaaaaaa";
const B: &str = "landfall-bbbbbbbbbbbbbbbb";

fn content(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
    )
}

fn document(source: &str) -> Document {
    Document {
        content: content(&format!("s3:{source}")),
        description: format!("Kept by Landfall. Packed from {source}"),
        tags: BTreeMap::new(),
    }
}

fn found(name: &str, document: Document) -> (String, Found) {
    let found = Found {
        id: format!("p-{name}"),
        arn: String::new(),
        content: document.content,
        description: document.description,
    };
    (name.to_owned(), found)
}

fn old(name: &str) -> (String, Found) {
    let document = Document {
        content: content("s3:Old"),
        description: "Kept by Landfall".to_owned(),
        tags: BTreeMap::new(),
    };
    found(name, document)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn target(name: &str, wanted: &[&str], ours: &[&str], others: &[&str]) -> Target {
    Target {
        id: format!("ou-{name}"),
        place: name.parse().ok(),
        name: name.to_owned(),
        wanted: set(wanted),
        attached: set(ours),
        others: set(others),
    }
}

fn desired() -> Desired {
    Desired {
        documents: [(A.to_owned(), document("a")), (B.to_owned(), document("b"))].into(),
        attachments: Vec::new(),
        limit: 10,
    }
}

/// A plan where the two policies exist as they should, and so do these.
fn plan(targets: Vec<Target>, further: Vec<(String, Found)>) -> Vec<String> {
    let right = [found(A, document("a")), found(B, document("b"))];
    sentences(&Observed {
        enabled: true,
        policies: right.into_iter().chain(further).collect(),
        targets,
    })
}

fn sentences(observed: &Observed) -> Vec<String> {
    let plan = OrganizationsPolicies::plan(&desired(), observed);
    plan.iter()
        .map(|change| change.to_string().replace("landfall-", ""))
        .map(|sentence| sentence.replace("aaaaaaaaaaaaaaaa", "A"))
        .map(|sentence| sentence.replace("bbbbbbbbbbbbbbbb", "B"))
        .collect()
}

#[test]
fn policies_are_attached_where_they_belong_and_nowhere_else() {
    let full: &[&str] = &[FULL_AWS_ACCESS, "aws-guardrails"];
    for (wanted, ours, others, changes) in [
        (vec![A], vec![A], full, vec![]),
        (
            vec![A],
            vec![B],
            full,
            vec!["attach A (a) to Admin", "detach B (b) from Admin"],
        ),
        (vec![], vec![], full, vec![]),
        (vec![], vec![A], full, vec!["detach A (a) from Admin"]),
        (vec![], vec![A], &[], vec![]),
        (vec![], vec![A, B], &[], vec!["detach A (a) from Admin"]),
    ] {
        let planned = plan(vec![target("Admin", &wanted, &ours, others)], Vec::new());
        assert_eq!(planned, changes, "{ours:?}");
    }
}

#[test]
fn the_new_is_attached_everywhere_before_the_old_is_detached_and_deleted() {
    let changes = plan(
        vec![
            target("Admin", &[A], &["landfall-old"], &[FULL_AWS_ACCESS]),
            target("Apps", &[B], &[A, "landfall-old"], &[FULL_AWS_ACCESS]),
        ],
        vec![old("landfall-old"), old("landfall-unused")],
    );
    assert_eq!(
        changes,
        [
            "attach A (a) to Admin",
            "attach B (b) to Apps",
            "detach old from Admin",
            "detach A (a) from Apps",
            "detach old from Apps",
            "delete the policy old",
            "delete the policy unused",
        ]
    );
}

#[test]
fn others_are_told_from_what_was_seen() {
    let observed = Observed {
        enabled: true,
        policies: BTreeMap::new(),
        targets: vec![target(
            "Admin",
            &[A],
            &[A],
            &["aws-guardrails-x", FULL_AWS_ACCESS],
        )],
    };
    let found = others(&JsonText::of(&observed));
    let expected = vec![FULL_AWS_ACCESS.to_owned(), "aws-guardrails-x".to_owned()];
    assert_eq!(found, [("Admin".to_owned(), expected)].into());
    assert_eq!(others(&JsonText::of(&())), BTreeMap::new());
}

#[test]
fn what_is_still_attached_is_not_deleted() {
    let changes = plan(
        vec![target("Admin", &[], &["landfall-old"], &[])],
        vec![old("landfall-old")],
    );
    assert_eq!(changes, Vec::<String>::new());
}

#[test]
fn documents_are_made_and_restored() {
    let mut edited = document("b");
    edited.content = content("s3:Nothing");
    let observed = Observed {
        enabled: false,
        policies: [found(B, edited)].into(),
        targets: Vec::new(),
    };
    assert_eq!(
        sentences(&observed),
        [
            "enable service control policies",
            "create the policy A (a)",
            "restore the policy B (b)",
        ]
    );
}

#[test]
fn where_there_is_no_room_nothing_is_planned_and_the_figures_are_told() {
    let others: Vec<String> = (0..9).map(|n| format!("other-{n}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let of = |ours: &[&str], others: &[&str]| Observed {
        enabled: true,
        policies: BTreeMap::new(),
        targets: vec![target("Admin", &[A], ours, others)],
    };
    let desired = desired();
    let told = of(&[], &others).steps(&desired).unwrap_err().to_string();
    assert!(told.starts_with("Admin: 9 of 10 attachments"), "{told}");
    assert!(of(&[], &others[1..]).steps(&desired).is_ok());
    // What stands already is left standing.
    assert!(of(&[A], &others).steps(&desired).is_ok());
}
