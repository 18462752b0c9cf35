use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::SERVICE_PRINCIPAL;
use super::{FSBP, HERE, ask, create_members, delegated, refusal, standards, status, subscribed};
use crate::call::AccountId;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn first_designation_is_alone() {
    let mut scene = Scene::new();
    let admin = scene.account("security");
    let enable = |scene: &mut Scene, caller, region| {
        let input = json!({ "AdminAccountId": admin.to_string() });
        scene.call(
            ("securityhub", "EnableOrganizationAdminAccount"),
            caller,
            region,
            input,
        )
    };
    assert_eq!(
        refusal(enable(&mut scene, admin, "us-east-1")).0,
        "InvalidAccessException"
    );
    enable(&mut scene, MANAGEMENT_ACCOUNT, "us-east-1").unwrap();
    assert_eq!(
        refusal(enable(&mut scene, MANAGEMENT_ACCOUNT, HERE)).0,
        "ResourceConflictException"
    );
    scene.after(SignedDuration::from_secs(1));
    enable(&mut scene, MANAGEMENT_ACCOUNT, HERE).unwrap();
    assert_eq!(
        refusal(enable(&mut scene, MANAGEMENT_ACCOUNT, HERE)).0,
        "ResourceConflictException"
    );
    assert!(
        scene
            .world
            .organizations
            .is_delegated_administrator(admin, SERVICE_PRINCIPAL)
    );
    ask(&mut scene, "DescribeHub", admin, json!({})).unwrap();
    ask(&mut scene, "DisableSecurityHub", admin, json!({}))
        .expect_err("the administrator's hub stays");
}

#[test]
fn a_member_gets_the_default_standards_unless_its_hub_was_on() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let (off, on) = (scene.account("off"), subscribed(&mut scene, "on"));
    let left_out = create_members(
        &mut scene,
        admin,
        &[off, on, admin, MANAGEMENT_ACCOUNT, AccountId(5)],
    );
    let left_out: Vec<&Value> = left_out
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["AccountId"])
        .collect();
    assert_eq!(
        left_out,
        [admin, MANAGEMENT_ACCOUNT, AccountId(5)]
            .map(|account| json!(account.to_string()))
            .each_ref()
    );
    assert_eq!(
        (
            standards(&mut scene, off).len(),
            standards(&mut scene, on).len()
        ),
        (2, 0)
    );
    for member in [off, on] {
        assert_eq!(status(&mut scene, admin, member), "Enabled");
        let theirs = ask(&mut scene, "GetAdministratorAccount", member, json!({})).unwrap();
        assert_eq!(theirs["Administrator"]["AccountId"], admin.to_string());
        ask(&mut scene, "DisableSecurityHub", member, json!({})).unwrap_err();
        ask(
            &mut scene,
            "DisassociateFromAdministratorAccount",
            member,
            json!({}),
        )
        .unwrap_err();
    }
    let ids = json!({ "AccountIds": [on.to_string()] });
    ask(&mut scene, "DisassociateMembers", admin, ids.clone()).unwrap();
    assert_eq!(status(&mut scene, admin, on), "Removed");
    assert_eq!(
        refusal(ask(&mut scene, "DisassociateMembers", admin, ids.clone())).0,
        "ResourceNotFoundException"
    );
    let kept = ask(&mut scene, "DeleteMembers", admin, ids).unwrap();
    assert_eq!(kept["UnprocessedAccounts"][0]["AccountId"], on.to_string());
    create_members(&mut scene, admin, &[on]);
    assert_eq!(status(&mut scene, admin, on), "Enabled");
}

#[test]
fn new_accounts_become_members_by_themselves() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let old = scene.account("old");
    let input = json!({ "AutoEnable": true, "AutoEnableStandards": "NONE" });
    ask(
        &mut scene,
        "UpdateOrganizationConfiguration",
        old,
        input.clone(),
    )
    .expect_err("not the administrator");
    ask(&mut scene, "UpdateOrganizationConfiguration", admin, input).unwrap();
    let new = scene.account("new");
    ask(&mut scene, "DescribeHub", new, json!({})).expect_err("too early");
    scene.after(SignedDuration::from_mins(5));
    assert!(standards(&mut scene, new).is_empty());
    let members = ask(&mut scene, "ListMembers", admin, json!({})).unwrap();
    let members: Vec<&Value> = members["Members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["AccountId"])
        .collect();
    assert_eq!(members, [&json!(new.to_string())]);
}

#[test]
fn an_invitation_needs_both_sides() {
    let mut scene = Scene::new();
    let (admin, member) = (
        subscribed(&mut scene, "security"),
        subscribed(&mut scene, "member"),
    );
    create_members(&mut scene, admin, &[member]);
    assert_eq!(status(&mut scene, admin, member), "Created");
    ask(
        &mut scene,
        "InviteMembers",
        admin,
        json!({ "AccountIds": [member.to_string()] }),
    )
    .unwrap();
    assert_eq!(status(&mut scene, admin, member), "Invited");
    let invitations = ask(&mut scene, "ListInvitations", member, json!({})).unwrap();
    let mut input = json!({ "AdministratorId": admin.to_string(), "InvitationId": "made up" });
    let unknown = refusal(ask(
        &mut scene,
        "AcceptAdministratorInvitation",
        member,
        input.clone(),
    ));
    assert_eq!(unknown, ("ResourceNotFoundException".to_owned(), 404));
    input["InvitationId"] = invitations["Invitations"][0]["InvitationId"].clone();
    ask(&mut scene, "AcceptAdministratorInvitation", member, input).unwrap();
    assert_eq!(status(&mut scene, admin, member), "Enabled");
    ask(
        &mut scene,
        "DisassociateFromAdministratorAccount",
        member,
        json!({}),
    )
    .unwrap();
    assert_eq!(status(&mut scene, admin, member), "Resigned");
    ask(&mut scene, "DisableSecurityHub", admin, json!({})).unwrap();
}

#[test]
fn tampering_is_seen() {
    let mut scene = Scene::new();
    let admin = delegated(&mut scene);
    let member = scene.account("member");
    create_members(&mut scene, admin, &[member]);
    let tamper = |scene: &mut Scene, action: &str| {
        let request = json!({ "action": action, "account": member.to_string(), "region": HERE, "standard": FSBP });
        let now = scene.now;
        super::super::tamper(&mut scene.world, &request, now)
    };
    tamper(&mut scene, "disable_standard").unwrap();
    tamper(&mut scene, "disable_standard").expect_err("off already");
    assert_eq!(standards(&mut scene, member).len(), 1);
    tamper(&mut scene, "disassociate_member").unwrap();
    assert_eq!(status(&mut scene, admin, member), "Removed");
    tamper(&mut scene, "disable_hub").unwrap();
    ask(&mut scene, "DescribeHub", member, json!({})).unwrap_err();
}
