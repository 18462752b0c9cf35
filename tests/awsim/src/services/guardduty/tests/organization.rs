use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use super::super::SERVICE_PRINCIPAL;
use super::{
    ALONE, HERE, ask, batch, create_members, delegated, detector, feature, own_detector, status,
};
use crate::call::AccountId;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn first_designation_is_alone() {
    let mut scene = Scene::new();
    let (admin, other) = (scene.account("security"), scene.account("other"));
    let enable = |scene: &mut Scene, caller, region, account: AccountId| {
        let input = json!({ "AdminAccountId": account.to_string() });
        scene.call(
            ("guardduty", "EnableOrganizationAdminAccount"),
            caller,
            region,
            input,
        )
    };
    enable(&mut scene, admin, "us-east-1", admin).expect_err("only the management account may");
    enable(&mut scene, MANAGEMENT_ACCOUNT, "us-east-1", ALONE)
        .expect_err("not in the organization");
    enable(&mut scene, MANAGEMENT_ACCOUNT, "us-east-1", admin).unwrap();
    enable(&mut scene, MANAGEMENT_ACCOUNT, "eu-west-1", admin).expect_err("too early");
    scene.after(SignedDuration::from_secs(1));
    enable(&mut scene, MANAGEMENT_ACCOUNT, "eu-west-1", admin).unwrap();
    enable(&mut scene, MANAGEMENT_ACCOUNT, "eu-west-1", admin).expect_err("already");
    enable(&mut scene, MANAGEMENT_ACCOUNT, "eu-west-2", other).expect_err("another elsewhere");

    assert!(scene.world.organizations.trusted_access(SERVICE_PRINCIPAL));
    let organizations = &scene.world.organizations;
    assert!(organizations.is_delegated_administrator(admin, SERVICE_PRINCIPAL));
    assert!(own_detector(&mut scene, admin).is_some());
    let admins = ask(
        &mut scene,
        "ListOrganizationAdminAccounts",
        MANAGEMENT_ACCOUNT,
        json!({}),
    )
    .unwrap();
    let expected = json!([{ "AdminAccountId": admin.to_string(), "AdminStatus": "ENABLED" }]);
    assert_eq!(admins["AdminAccounts"], expected);
}

#[test]
fn organization_members_are_on_without_being_asked() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let (new, running) = (scene.account("new"), scene.account("running"));
    let id = detector(&mut scene, running);
    let input = json!({
        "DetectorId": admin.1, "AutoEnableOrganizationMembers": "NONE",
        "Features": [{ "Name": "S3_DATA_EVENTS", "AutoEnable": "NEW" }],
    });
    ask(
        &mut scene,
        "UpdateOrganizationConfiguration",
        admin.0,
        input,
    )
    .unwrap();

    let often = json!({ "DetectorId": admin.1, "FindingPublishingFrequency": "ONE_HOUR" });
    ask(&mut scene, "UpdateDetector", admin.0, often).unwrap();
    let left_out = create_members(
        &mut scene,
        &admin,
        &[
            (new, "any@example.com"),
            (running, "any@example.com"),
            (admin.0, "x"),
            (ALONE, "x"),
            (MANAGEMENT_ACCOUNT, "x"),
        ],
    );
    let left_out: Vec<&str> = left_out
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["AccountId"].as_str().unwrap())
        .collect();
    assert_eq!(
        left_out,
        [admin.0, ALONE, MANAGEMENT_ACCOUNT].map(|account| account.to_string())
    );

    let made = own_detector(&mut scene, new).expect("GuardDuty goes on in a new member");
    assert_eq!(own_detector(&mut scene, running), Some(id.clone()));
    for (member, detector, rds) in [(new, made, "DISABLED"), (running, id, "ENABLED")] {
        assert_eq!(status(&mut scene, &admin, member), "Enabled");
        let input = json!({ "DetectorId": detector });
        let answer = ask(&mut scene, "GetDetector", member, input.clone()).unwrap();
        assert_eq!(feature(&answer, "S3_DATA_EVENTS")["Status"], "ENABLED");
        assert_eq!(answer["FindingPublishingFrequency"], "ONE_HOUR");
        assert_eq!(feature(&answer, "RDS_LOGIN_EVENTS")["Status"], rds);
        let theirs = ask(&mut scene, "GetAdministratorAccount", member, input.clone()).unwrap();
        assert_eq!(theirs["Administrator"]["AccountId"], admin.0.to_string());
        ask(
            &mut scene,
            "DisassociateFromAdministratorAccount",
            member,
            input.clone(),
        )
        .unwrap_err();
        ask(&mut scene, "DeleteDetector", member, input.clone()).unwrap_err();
        let suspend = json!({ "DetectorId": detector, "Enable": false });
        ask(&mut scene, "UpdateDetector", member, suspend).unwrap_err();
    }
    let answer = batch(&mut scene, "InviteMembers", &admin, &[new]);
    assert_eq!(
        answer["UnprocessedAccounts"][0]["AccountId"],
        new.to_string()
    );
}

#[test]
fn members_part_and_come_back() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let member = scene.account("member");
    create_members(&mut scene, &admin, &[(member, "any@example.com")]);

    batch(&mut scene, "StopMonitoringMembers", &admin, &[member]);
    assert_eq!(status(&mut scene, &admin, member), "Disabled");
    batch(&mut scene, "StartMonitoringMembers", &admin, &[member]);
    assert_eq!(status(&mut scene, &admin, member), "Enabled");

    let refused = batch(&mut scene, "DeleteMembers", &admin, &[member]);
    assert_eq!(
        refused["UnprocessedAccounts"][0]["AccountId"],
        member.to_string()
    );
    batch(&mut scene, "DisassociateMembers", &admin, &[member]);
    assert_eq!(status(&mut scene, &admin, member), "Removed");
    let listed = |scene: &mut Scene, only: &str| {
        let input = json!({ "DetectorId": admin.1, "OnlyAssociated": only });
        ask(scene, "ListMembers", admin.0, input).unwrap()["Members"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (listed(&mut scene, "true"), listed(&mut scene, "false")),
        (0, 1)
    );
    batch(&mut scene, "DeleteMembers", &admin, &[member]);
    assert_eq!(listed(&mut scene, "false"), 0);
    create_members(&mut scene, &admin, &[(member, "any@example.com")]);
    assert_eq!(status(&mut scene, &admin, member), "Enabled");

    let suspend = json!({ "action": "suspend_account", "account": member.to_string() });
    let now = scene.now;
    crate::services::organizations::tamper(&mut scene.world, &suspend, now).unwrap();
    assert_eq!(status(&mut scene, &admin, member), "AccountSuspended");
}

#[test]
fn auto_enablement_takes_its_time() {
    let cases = [
        ("NEW", false, true),
        ("ALL", true, true),
        ("NONE", false, false),
    ];
    for (setting, old_joins, new_joins) in cases {
        let mut scene = Scene::new();
        let admin = delegated(&mut scene);
        let old = scene.account("old");
        let input = json!({ "DetectorId": admin.1, "AutoEnableOrganizationMembers": setting });
        ask(
            &mut scene,
            "UpdateOrganizationConfiguration",
            admin.0,
            input,
        )
        .unwrap();
        let new = scene.account("new");
        assert_eq!(own_detector(&mut scene, new), None, "{setting}: too early");
        scene.after(SignedDuration::from_mins(5));
        assert_eq!(
            own_detector(&mut scene, new).is_some(),
            new_joins,
            "{setting}"
        );
        assert_eq!(
            status(&mut scene, &admin, old),
            "no member",
            "{setting}: too early"
        );
        scene.after(SignedDuration::from_hours(24));
        assert_eq!(
            status(&mut scene, &admin, old) == "Enabled",
            old_joins,
            "{setting}"
        );
        let listed = ask(
            &mut scene,
            "ListMembers",
            admin.0,
            json!({ "DetectorId": admin.1 }),
        )
        .unwrap();
        let expected = usize::from(old_joins) + usize::from(new_joins);
        assert_eq!(
            listed["Members"].as_array().unwrap().len(),
            expected,
            "{setting}"
        );
    }
}

#[test]
fn nobody_is_let_go_while_all_are_members() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let member = scene.account("member");
    create_members(&mut scene, &admin, &[(member, "any@example.com")]);
    let input = json!({ "DetectorId": admin.1, "AutoEnableOrganizationMembers": "ALL" });
    ask(
        &mut scene,
        "UpdateOrganizationConfiguration",
        admin.0,
        input,
    )
    .unwrap();
    for operation in ["DisassociateMembers", "StopMonitoringMembers"] {
        let answer = batch(&mut scene, operation, &admin, &[member]);
        assert_eq!(
            answer["UnprocessedAccounts"][0]["AccountId"],
            member.to_string(),
            "{operation}"
        );
    }
    assert_eq!(status(&mut scene, &admin, member), "Enabled");
}

#[test]
fn tampering_is_seen() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let member = scene.account("member");
    create_members(&mut scene, &admin, &[(member, "any@example.com")]);
    let tamper = |scene: &mut Scene, action: &str| {
        let request = json!({ "action": action, "account": member.to_string(), "region": HERE, "feature": "S3_DATA_EVENTS" });
        let now = scene.now;
        super::super::tamper(&mut scene.world, &request, now)
    };
    tamper(&mut scene, "suspend_detector").unwrap();
    assert_eq!(status(&mut scene, &admin, member), "Disabled");
    tamper(&mut scene, "disable_feature").unwrap();
    let detectors = batch(&mut scene, "GetMemberDetectors", &admin, &[member]);
    let detector = &detectors["MemberDataSourceConfigurations"][0];
    assert_eq!(feature(detector, "S3_DATA_EVENTS")["Status"], "DISABLED");
    tamper(&mut scene, "delete_detector").unwrap();
    assert_eq!(own_detector(&mut scene, member), None);
    assert_eq!(status(&mut scene, &admin, member), "Removed");
    tamper(&mut scene, "disassociate_member").expect_err("gone already");
    tamper(&mut scene, "explode").unwrap_err();
    create_members(&mut scene, &admin, &[(member, "any@example.com")]);
    assert_eq!(status(&mut scene, &admin, member), "Enabled");
}

#[test]
fn members_come_in_pages() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let members = ["a", "b", "c"].map(|name| scene.account(name));
    create_members(
        &mut scene,
        &admin,
        &members.map(|account| (account, "any@example.com")),
    );
    let mut input = json!({ "DetectorId": admin.1, "MaxResults": 2 });
    let first = ask(&mut scene, "ListMembers", admin.0, input.clone()).unwrap();
    input["NextToken"] = first["NextToken"].clone();
    let second = ask(&mut scene, "ListMembers", admin.0, input.clone()).unwrap();
    assert!(second.get("NextToken").is_none());
    let pages = [&first, &second].map(|page| page["Members"].as_array().unwrap());
    assert_eq!(pages.map(Vec::len), [2, 1]);
    let listed: BTreeSet<&str> = pages
        .into_iter()
        .flatten()
        .map(|member| member["AccountId"].as_str().unwrap())
        .collect();
    let expected = members.map(|account| account.to_string());
    assert_eq!(listed, expected.iter().map(String::as_str).collect());
    input["NextToken"] = json!("made up");
    ask(&mut scene, "ListMembers", admin.0, input).unwrap_err();
}
