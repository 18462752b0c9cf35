//! What the doctor says of organizations, bare and healthy, and what it says when it cannot look.

use awsim::faults::Kind;
use landfall_controls::cloud::{Access, Cloud};
use landfall_model::account::Phase;
use landfall_model::finding::{Finding, Severity};
use landfall_model::ids::AccountId;
use landfall_server::doctor::{self, Remembered, Report};
use landfall_tests::world::{
    Running, World, ask, every, in_phase, in_two_regions, landing_zone_in, organization_in_sync,
};
use serde_json::json;

/// Has the doctor look, and sees to it that looking changed nothing.
async fn examine(world: &World, governed: &[AccountId]) -> Report {
    let before = world.mutating_calls();
    let cloud = world.fresh_cloud().await;
    let report = doctor::examine(
        &cloud,
        &world.zone,
        &world.catalogue,
        &Remembered {
            governed: governed.to_vec(),
            ..Remembered::default()
        },
        jiff::Timestamp::now(),
    )
    .await;
    assert_eq!(before, world.mutating_calls(), "looking changes nothing");
    for finding in &report.findings {
        let mended = finding.mend.as_ref().is_some_and(|mend| !mend.is_empty());
        assert!(mended || finding.severity != Severity::Mend, "{finding:?}");
    }
    report
}

/// The findings about a subject that are of this severity.
fn told<'a>(report: &'a Report, subject: &str, severity: Severity) -> Vec<&'a Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.subject == subject && finding.severity == severity)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_a_bare_organization_lacks_and_that_landfall_sees_to_it() {
    let (world, _database) = in_two_regions().await;
    let report = examine(&world, &[]).await;
    assert!(report.looked);
    assert!(report.worst() < Severity::Mend, "{:#?}", report.findings);
    for subject in [
        "log archive account",
        "security account",
        "organizations.units",
        "organizations.policies",
        "organizations.trusted-access",
        "organizations.delegated-administrators",
        "guardduty.organization",
    ] {
        assert!(
            !told(&report, subject, Severity::Landfall).is_empty(),
            "{subject}: {:#?}",
            report.findings
        );
    }
    for subject in ["credentials", "clock", "management account", "all features"] {
        assert_eq!(told(&report, subject, Severity::Fine).len(), 1, "{subject}");
    }
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_each_lack_in_an_organization_that_was_healthy() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    organization_in_sync(store).await;
    running.stop().await;
    let number = account.account_id.expect("a governed account has a number");
    let governed = [number.clone()];

    let healthy = examine(&world, &governed).await;
    for finding in &healthy.findings {
        let fine = finding.severity == Severity::Fine || finding.subject == "quota of accounts";
        assert!(fine, "{finding:?}");
    }

    world.tamper(&json!({ "service": "iam", "action": "delete_role", "account": number, "role": "LandfallExecution" }));
    world.tamper(&json!({
        "service": "organizations", "action": "disable_trusted_access", "service_principal": "config.amazonaws.com",
    }));
    let sick = examine(&world, &governed).await;
    let role = told(&sick, "execution role", Severity::Mend);
    assert!(role[0].what.contains(number.as_str()), "{role:?}");
    assert!(
        role[0]
            .mend
            .as_ref()
            .is_some_and(|mend| mend.contains("aws iam create-role"))
    );
    let access = told(&sick, "organizations.trusted-access", Severity::Landfall);
    assert!(
        access[0].what.contains("config.amazonaws.com"),
        "{access:?}"
    );
    let stranger = examine(&world, &[]).await;
    assert_eq!(
        told(&stranger, "execution role", Severity::Warning).len(),
        1,
        "an account that Landfall does not look after is only named"
    );

    let security = store
        .account_by_purpose(landfall_server::store::Purpose::Security)
        .await
        .expect("the store")
        .and_then(|account| account.account_id)
        .expect("it is vended");
    world.tamper(
        &json!({ "service": "organizations", "action": "suspend_account", "account": security }),
    );
    let suspended = examine(&world, &governed).await;
    let found = told(&suspended, "security account", Severity::Mend);
    assert!(found[0].what.contains("suspended"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_when_it_cannot_look_and_why() {
    let (world, _database) = in_two_regions().await;
    // Credentials that AWS does not know.
    let access = Access {
        endpoint_url: Some(world.sim.url()),
        credentials: Some(("AKIASTRANGER0000000".to_owned(), "any".to_owned())),
    };
    let stranger = Cloud::open(&world.zone, 8, access).await;
    let report = doctor::examine(
        &stranger,
        &world.zone,
        &world.catalogue,
        &Remembered::default(),
        jiff::Timestamp::now(),
    )
    .await;
    assert!(!report.looked);
    assert_eq!(
        told(&report, "credentials", Severity::Mend).len(),
        1,
        "{report:#?}"
    );

    // A management account that is not one: the role is not there.
    let zone = landing_zone_in(&["us-east-1", "af-south-1"]);
    let elsewhere = World::with(&zone.replace("\"111111111111\"", "\"222222222222\"")).await;
    let report = examine(&elsewhere, &[]).await;
    assert!(!report.looked);
    let role = told(&report, "management role", Severity::Mend);
    let mend = role[0].mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("put-role-policy")
            && mend.contains("is management_account 222222222222 right"),
        "{mend}"
    );

    // A Region that has to be enabled first.
    let world = World::with(&zone).await;
    let report = examine(&world, &[]).await;
    let region = told(&report, "governed Regions", Severity::Mend);
    let mend = region[0].mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("aws account enable-region --region-name af-south-1"),
        "{mend}"
    );

    // A permission that the management role lacks.
    let denied = every("account", Some("ListRegions"), Kind::AccessDenied);
    world.sim.shared().faults().plan(denied);
    let report = examine(&world, &[]).await;
    let region = told(&report, "governed Regions", Severity::Mend);
    let mend = region[0].mend.as_deref().unwrap_or_default();
    assert!(mend.contains("landfall-management.json"), "{mend}");

    // A database that does not answer, and one that is still to be made.
    let now = jiff::Timestamp::now();
    let (finding, _) = doctor::examine_database("postgres://nobody@127.0.0.1:1/none", now).await;
    assert_eq!(finding.severity, Severity::Mend);
    let (finding, _) = doctor::examine_database("sqlite:///nowhere/at/all.db", now).await;
    assert_eq!(finding.severity, Severity::Landfall);
}
