use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{ask, batch, create_members, detector, invitations, status, strangers};
use crate::services::scene::Scene;

#[test]
fn an_invitation_needs_both_sides() {
    let mut scene = Scene::new();
    let (admin, member) = strangers(&mut scene);
    let early = batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    assert_eq!(
        early["UnprocessedAccounts"][0]["AccountId"],
        member.0.to_string()
    );
    create_members(&mut scene, &admin, &[(member.0, "member@example.com")]);
    assert_eq!(status(&mut scene, &admin, member.0), "Created");
    batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    assert_eq!(
        status(&mut scene, &admin, member.0),
        "EmailVerificationInProgress"
    );
    assert!(invitations(&mut scene, member.0).is_empty());
    scene.after(SignedDuration::from_secs(5));
    assert_eq!(status(&mut scene, &admin, member.0), "Invited");
    let again = batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    assert_eq!(
        again["UnprocessedAccounts"][0]["AccountId"],
        member.0.to_string()
    );

    let id = invitations(&mut scene, member.0)[0]["InvitationId"].clone();
    let accept = |scene: &mut Scene, id: &Value| {
        let input = json!({ "DetectorId": member.1, "AdministratorId": admin.0.to_string(), "InvitationId": id });
        ask(scene, "AcceptAdministratorInvitation", member.0, input)
    };
    accept(&mut scene, &json!("made up")).unwrap_err();
    let count = ask(&mut scene, "GetInvitationsCount", member.0, json!({})).unwrap();
    assert_eq!(count["InvitationsCount"], 1);
    accept(&mut scene, &id).unwrap();
    assert_eq!(status(&mut scene, &admin, member.0), "Enabled");
    let count = ask(&mut scene, "GetInvitationsCount", member.0, json!({})).unwrap();
    assert_eq!(count["InvitationsCount"], 0);
    ask(
        &mut scene,
        "DeleteDetector",
        admin.0,
        json!({ "DetectorId": admin.1 }),
    )
    .unwrap_err();

    let own = json!({ "DetectorId": member.1 });
    ask(
        &mut scene,
        "DisassociateFromAdministratorAccount",
        member.0,
        own,
    )
    .unwrap();
    assert_eq!(status(&mut scene, &admin, member.0), "Resigned");
    batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    scene.after(SignedDuration::from_secs(5));
    let again = invitations(&mut scene, member.0)[0]["InvitationId"].clone();
    assert_ne!(again, id);
    accept(&mut scene, &id).expect_err("the first invitation is used up");
    accept(&mut scene, &again).unwrap();
}

#[test]
fn a_wrong_address_never_arrives() {
    let mut scene = Scene::new();
    let (admin, member) = strangers(&mut scene);
    create_members(&mut scene, &admin, &[(member.0, "typo@example.com")]);
    batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    scene.after(SignedDuration::from_secs(5));
    assert_eq!(
        status(&mut scene, &admin, member.0),
        "EmailVerificationFailed"
    );
    assert!(invitations(&mut scene, member.0).is_empty());

    create_members(&mut scene, &admin, &[(member.0, "member@example.com")]);
    batch(&mut scene, "InviteMembers", &admin, &[member.0]);
    scene.after(SignedDuration::from_secs(5));
    assert_eq!(status(&mut scene, &admin, member.0), "Invited");
}

#[test]
fn declining_one_administrator_leaves_the_other() {
    let mut scene = Scene::new();
    let (admin, member) = strangers(&mut scene);
    let other = scene.account("other");
    let other = (other, detector(&mut scene, other));
    for admin in [&admin, &other] {
        create_members(&mut scene, admin, &[(member.0, "member@example.com")]);
        batch(&mut scene, "InviteMembers", admin, &[member.0]);
    }
    scene.after(SignedDuration::from_secs(5));
    let offers = invitations(&mut scene, member.0);
    let offer = offers
        .iter()
        .find(|offer| offer["AccountId"] == admin.0.to_string())
        .unwrap();
    let input = json!({ "DetectorId": member.1, "AdministratorId": admin.0.to_string(), "InvitationId": offer["InvitationId"] });
    ask(&mut scene, "AcceptAdministratorInvitation", member.0, input).unwrap();

    let decline = json!({ "AccountIds": [other.0.to_string()] });
    let answer = ask(&mut scene, "DeleteInvitations", member.0, decline.clone()).unwrap();
    assert_eq!(
        answer["UnprocessedAccounts"][0]["AccountId"],
        other.0.to_string()
    );
    ask(&mut scene, "DeclineInvitations", member.0, decline.clone()).unwrap();
    assert_eq!(status(&mut scene, &other, member.0), "Resigned");
    assert_eq!(status(&mut scene, &admin, member.0), "Enabled");
    let theirs = ask(
        &mut scene,
        "GetAdministratorAccount",
        member.0,
        json!({ "DetectorId": member.1 }),
    )
    .unwrap();
    assert_eq!(theirs["Administrator"]["AccountId"], admin.0.to_string());
    ask(&mut scene, "DeleteInvitations", member.0, decline).unwrap();
    assert_eq!(invitations(&mut scene, member.0).len(), 1);
}
