use super::*;

fn denies(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"One","Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
    )
}

/// `A=x,y` attaches x and y to A.
fn set(attachments: &str, documents: &[(&str, &str)]) -> ScpSet {
    let attachments = attachments.split_whitespace().map(|word| {
        let (target, names) = word.split_once('=').unwrap();
        let names = names.split(',').filter(|name| !name.is_empty());
        (target.parse().unwrap(), names.map(str::to_owned).collect())
    });
    let documents = documents.iter();
    ScpSet {
        attachments: attachments.collect(),
        documents: documents
            .map(|(name, action)| ((*name).to_owned(), denies(action)))
            .collect(),
        ..ScpSet::default()
    }
}

fn pin(set: &ScpSet, rollout: u128) -> ScpPin {
    ScpPin {
        revision: set.revision(),
        rollout: Uuid::from_u128(rollout),
        wave: Some(Wave::Canary),
        pinned_at: Timestamp::UNIX_EPOCH,
        seen_at: Some(Timestamp::UNIX_EPOCH),
    }
}

/// From `old` to `new`, which these targets have by now. AWS was not seen to have it on those that end in `?`.
fn course(old: &ScpSet, new: &ScpSet, reached: &[&str]) -> ScpCourse {
    let sets = [old, new].map(|set| (set.revision(), Arc::new(set.clone())));
    let reached = reached.iter().map(|word| {
        let mut pin = pin(new, 1);
        pin.seen_at = pin.seen_at.filter(|_| !word.ends_with('?'));
        (word.trim_end_matches('?').parse().unwrap(), pin)
    });
    ScpCourse {
        settled: Some(old.revision()),
        wanted: Some(new.revision()),
        pins: reached.collect(),
        sets: sets.into(),
    }
}

const TARGETS: [&str; 4] = ["/", "A", "A/P", "A/S"];

/// What is denied on each target itself.
fn denied(course: &ScpCourse, files: &ScpSet, settings: ScpSettings) -> Vec<String> {
    let targets = TARGETS.map(|word| word.parse().unwrap());
    let (in_force, _) = course.in_force(&targets, files, settings, ScpSet::clone);
    let packed = in_force.packed(settings).unwrap();
    let of = |target: &ScpTarget| {
        let names = packed.attachments.get(target)?.iter();
        let actions = names.flat_map(|name| {
            let content = &packed.documents[name].content;
            let content: serde_json::Value = serde_json::from_str(content).unwrap();
            let statements = content["Statement"].clone();
            let statements = match statements {
                serde_json::Value::Array(all) => all,
                one => vec![one],
            };
            let actions = statements.into_iter().flat_map(|one| match &one["Action"] {
                serde_json::Value::Array(all) => all.clone(),
                one => vec![one.clone()],
            });
            actions
                .map(|action| action.as_str().unwrap().replace("s3:", ""))
                .collect::<Vec<_>>()
        });
        let actions: BTreeSet<String> = actions.collect();
        let actions: Vec<String> = actions.into_iter().collect();
        Some(format!("{}={}", target.word(), actions.join(",")))
    };
    targets.iter().filter_map(of).collect()
}

#[test]
fn a_unit_gets_at_once_what_is_to_come_from_above() {
    let old = set(
        "/=r A=a A/S=s",
        &[("r", "s3:R1"), ("a", "s3:A1"), ("s", "s3:S1")],
    );
    let new = set(
        "/=r A=a,b A/P=p A/S=s",
        &[
            ("r", "s3:R2"),
            ("a", "s3:A1"),
            ("b", "s3:B2"),
            ("p", "s3:P2"),
            ("s", "s3:S2"),
        ],
    );
    for (reached, expected) in [
        (&[][..], ["/=R1", "A=A1", "A/S=S1"].as_slice()),
        (&["A/S?"], &["/=R1", "A=A1", "A/S=B2,R2,S2"]),
        (&["A/S"], &["/=R1", "A=A1", "A/S=B2,R2,S2"]),
        (
            &["A/S", "A/P"],
            &["/=R1", "A=A1", "A/P=B2,P2,R2", "A/S=B2,R2,S2"],
        ),
        // What is to go from `A` below may be gone before AWS has what comes there instead.
        (
            &["A/S", "A/P", "A?"],
            &["/=R1", "A=A1,B2,R2", "A/P=B2,P2,R2", "A/S=B2,R2,S2"],
        ),
        (
            &["A/S", "A/P", "A"],
            &["/=R1", "A=A1,B2,R2", "A/P=P2,R2", "A/S=R2,S2"],
        ),
        (
            &["A/S", "A/P", "A", "/?"],
            &["/=R2", "A=A1,B2,R2", "A/P=P2,R2", "A/S=R2,S2"],
        ),
        (
            &["A/S", "A/P", "A", "/"],
            &["/=R2", "A=A1,B2", "A/P=P2", "A/S=S2"],
        ),
    ] {
        let course = course(&old, &new, reached);
        let denied = denied(&course, &new, ScpSettings::default());
        assert_eq!(denied, expected, "{reached:?}");
    }
}

#[test]
fn what_has_no_room_yet_comes_with_those_above() {
    // Each of the two fills a policy.
    let long = |letter: &str| format!("s3:{}", letter.repeat(4_900));
    let (own, above) = (long("o"), long("a"));
    let old = set("A= A/S=", &[]);
    let new = set("A=above A/S=own", &[("own", &own), ("above", &above)]);
    let settings = ScpSettings {
        characters: 5_120,
        attached: 3,
        ..ScpSettings::default()
    };
    let course = course(&old, &new, &["A/S"]);
    let targets = TARGETS.map(|word| word.parse().unwrap());
    let (in_force, crowded) = course.in_force(&targets, &new, settings, ScpSet::clone);
    assert_eq!(crowded, ["A/S".parse().unwrap()]);
    let packed = in_force.packed(settings).unwrap();
    assert_eq!(packed.attachments[&"A/S".parse().unwrap()].len(), 1);
    let roomy = ScpSettings {
        attached: 4,
        ..settings
    };
    assert_eq!(course.in_force(&targets, &new, roomy, ScpSet::clone).1, []);
}

#[test]
fn what_moves_up_stays_where_there_is_no_room_to_try_the_rest() {
    // Each of them fills a policy.
    let long = |letter: &str| format!("s3:{}", letter.repeat(4_900));
    let texts = ["a", "m", "o", "p", "q"].map(long);
    let named = ["above", "moved", "own", "old", "other"];
    let documents: Vec<(&str, &str)> = std::iter::zip(named, &texts)
        .map(|(name, text)| (name, text.as_str()))
        .collect();
    let old = set("A= A/S=moved,old", &documents);
    let new = set("A=above,moved A/S=own,other", &documents);
    let course = course(&old, &new, &["A/S"]);
    let unit: ScpTarget = "A/S".parse().unwrap();
    // So many of Landfall's fit beside AWS's own and the one that stays free.
    for (fit, expected) in [
        (4, ["a", "m", "o", "q"].as_slice()),
        (3, &["m", "o", "q"]),
        (2, &["m", "p"]),
    ] {
        let settings = ScpSettings {
            characters: 5_120,
            attached: fit + 2,
            ..ScpSettings::default()
        };
        let (in_force, crowded) = course.in_force([&unit], &new, settings, ScpSet::clone);
        assert_eq!(crowded.is_empty(), fit == 4, "{fit}");
        let [set] = in_force
            .sets()
            .iter()
            .filter(|set| set.attachments.contains_key(&unit))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{in_force:?}");
        };
        let said = set.said(&unit);
        let letters = said.values().map(|text| {
            let at = text.find("s3:").unwrap() + 3;
            &text[at..=at]
        });
        let letters: BTreeSet<&str> = letters.collect();
        assert_eq!(letters.into_iter().collect::<Vec<_>>(), expected, "{fit}");
    }
}

#[test]
fn who_is_exempted_above_is_exempted_where_the_policy_stands_ahead() {
    let old = set("A= A/S=", &[]);
    let new = set("A=above", &[("above", "s3:A")]);
    let spared = |set: &ScpSet| {
        let mut set = set.clone();
        let principals = BTreeSet::from(["arn:aws:iam::222222222222:role/X".to_owned()]);
        if set.attachments.contains_key(&"A".parse().unwrap()) {
            let of_policy = [("above".to_owned(), principals)].into();
            set.spared.insert("A".parse().unwrap(), of_policy);
        }
        set
    };
    let course = course(&old, &new, &["A/S"]);
    let targets = TARGETS.map(|word| word.parse().unwrap());
    let settings = ScpSettings::default();
    let (in_force, _) = course.in_force(&targets, &new, settings, spared);
    let packed = in_force.packed(settings).unwrap();
    let name = packed.attachments[&"A/S".parse().unwrap()].first().unwrap();
    let content = &packed.documents[name].content;
    assert!(content.contains("role/X"), "{content}");
}

#[test]
fn what_a_later_rollout_has_not_reached_keeps_what_an_earlier_one_brought() {
    let old = set("A=a", &[("a", "s3:A1")]);
    let between = set("A=a", &[("a", "s3:A2")]);
    let new = set("A=a", &[("a", "s3:A3")]);
    let mut course = course(&old, &new, &[]);
    course
        .sets
        .insert(between.revision(), Arc::new(between.clone()));
    let a: ScpTarget = "A".parse().unwrap();
    course.pins.insert(a.clone(), pin(&between, 1));
    let settings = ScpSettings::default();
    assert_eq!(denied(&course, &new, settings), ["A=A2"]);
    let second = Uuid::from_u128(2);
    assert!(course.changes(&a, second, &new));
    course.pins.insert(a.clone(), pin(&new, 2));
    assert_eq!(denied(&course, &new, settings), ["A=A3"]);
    assert!(course.changes(&a, second, &new), "it has brought a change");
}

#[test]
fn a_new_unit_has_its_own_at_once_and_is_reached_for_what_is_above() {
    let old = set("A=a", &[("a", "s3:A1")]);
    let new = set("A=a A/S=s", &[("a", "s3:A2"), ("s", "s3:S2")]);
    let mut course = course(&old, &new, &[]);
    let unit: ScpTarget = "A/S".parse().unwrap();
    let rollout = Uuid::from_u128(1);
    let settings = ScpSettings::default();
    assert!(course.changes(&unit, rollout, &new));
    let mut brought = pin(&new, 1);
    brought.wave = None;
    course.pins.insert(unit.clone(), brought);
    assert_eq!(denied(&course, &new, settings), ["A=A1", "A/S=S2"]);
    assert!(course.changes(&unit, rollout, &new), "by what is above");
    course.pins.insert(unit.clone(), pin(&new, 1));
    assert_eq!(denied(&course, &new, settings), ["A=A1", "A/S=A2,S2"]);
    // Where nothing is to come from above, there is nothing to reach.
    let alone = set("A=a A/S=s", &[("a", "s3:A1"), ("s", "s3:S2")]);
    let mut course = super::tests::course(&old, &alone, &[]);
    let mut brought = pin(&alone, 1);
    brought.wave = None;
    course.pins.insert(unit.clone(), brought);
    assert!(!course.changes(&unit, rollout, &alone));
}

#[test]
fn what_comes_back_above_stands_below_until_it_was_seen_there() {
    let old = set("A=a", &[("a", "s3:A1")]);
    let between = set("A=a", &[("a", "s3:A2")]);
    // The files of before: `A` has those of between, or has them no more.
    let mut course = course(&old, &old, &[]);
    let between_one = Arc::new(between.clone());
    course.sets.insert(between.revision(), between_one);
    let below: ScpTarget = "A/S".parse().unwrap();
    course.pins.insert(below, pin(&old, 2));
    let above: ScpTarget = "A".parse().unwrap();
    let settings = ScpSettings::default();
    for (rollout, seen, expected) in [
        (1, true, ["A=A2", "A/S=A1"].as_slice()),
        (2, false, &["A=A1", "A/S=A1"]),
        (2, true, &["A=A1"]),
    ] {
        let set = if rollout == 1 { &between } else { &old };
        let mut there = pin(set, rollout);
        there.seen_at = there.seen_at.filter(|_| seen);
        course.pins.insert(above.clone(), there);
        assert_eq!(
            denied(&course, &old, settings),
            expected,
            "{rollout} {seen}"
        );
    }
}

#[test]
fn what_nobody_knows_is_what_the_files_say() {
    let files = set("A=a", &[("a", "s3:A1")]);
    let settings = ScpSettings::default();
    assert_eq!(denied(&ScpCourse::default(), &files, settings), ["A=A1"]);
    let a: ScpTarget = "A".parse().unwrap();
    assert!(!ScpCourse::default().changes(&a, Uuid::nil(), &files));
    let stored = ScpSet::stored(files.content()).unwrap();
    assert_eq!(stored, files);
    assert_eq!(stored.revision(), files.revision());
}
