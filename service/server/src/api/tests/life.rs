//! What people want done with accounts: who may ask, who may agree, and what is said to those who may not.

use serde_json::json;

use super::super::auth::Role;
use super::reads::{governed, governed_in};
use super::{LANDING_ZONE, Server};

const ACCOUNT: &str = "/accounts/222222222222";
const MANAGEMENT: &str = "/accounts/111111111111";

#[tokio::test]
async fn an_account_is_closed_by_two_and_taken_back_by_either() {
    let (server, _) = governed().await;
    let close = format!("{ACCOUNT}/close");
    let reason = json!({ "reason": "The project is over" });
    server
        .post(&close, &json!({}))
        .await
        .is_problem(422, "invalid-fields");
    let eve = server.token("eve", Role::Engineer).await;
    server
        .post_as(&eve, &close, &reason)
        .await
        .is_problem(403, "forbidden");

    let pat = server.token("pat", Role::Platform).await;
    let asked = server.post_as(&pat, &close, &reason).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let wish = &asked.body["wish"];
    assert_eq!(
        (&wish["action"], &wish["asked_by"], &wish["reason"]),
        (&json!("close"), &json!("pat"), &reason["reason"])
    );
    assert_eq!(wish.get("approved_by"), None, "{}", asked.text);
    let again = server.post(&close, &reason).await;
    again.is_problem(409, "another-wish");
    assert!(
        again.body["detail"]
            .as_str()
            .unwrap()
            .starts_with("pat asked to close"),
        "{}",
        again.text
    );

    let approve = format!("{ACCOUNT}/approve");
    server
        .post_as(&eve, &approve, &json!({}))
        .await
        .is_problem(403, "forbidden");
    let own = server.post_as(&pat, &approve, &json!({})).await;
    own.is_problem(403, "forbidden");
    assert!(
        own.body["detail"]
            .as_str()
            .unwrap()
            .contains("another person")
    );
    let sam = server.token("sam", Role::Security).await;
    let approved = server.post_as(&sam, &approve, &json!({})).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    assert_eq!(approved.body["wish"]["approved_by"], "sam");
    server
        .post_as(&sam, &approve, &json!({}))
        .await
        .is_problem(409, "nothing-to-decide");

    // Nothing has begun in AWS, so it is not too late.
    let taken_back = server
        .post_as(&pat, &format!("{ACCOUNT}/cancel"), &json!({}))
        .await;
    assert_eq!(taken_back.status, 200, "{}", taken_back.text);
    assert_eq!(taken_back.body.get("wish"), None, "{}", taken_back.text);
    assert_eq!(
        taken_back.body["phase"], "placing",
        "it goes on where it was"
    );
}

#[tokio::test]
async fn a_closure_is_rejected_with_a_reason() {
    let (server, _) = governed().await;
    let pat = server.token("pat", Role::Platform).await;
    let reject = format!("{ACCOUNT}/reject");
    let reason = json!({ "reason": "It still takes payments" });
    server
        .post(&reject, &reason)
        .await
        .is_problem(409, "nothing-to-decide");
    server
        .post_as(
            &pat,
            &format!("{ACCOUNT}/close"),
            &json!({ "reason": "unused" }),
        )
        .await;
    server
        .post(&reject, &json!({}))
        .await
        .is_problem(422, "invalid-fields");
    let rejected = server.post(&reject, &reason).await;
    assert_eq!(rejected.status, 200, "{}", rejected.text);
    assert_eq!(rejected.body.get("wish"), None);
}

#[tokio::test]
async fn an_account_moves_at_once_but_into_a_guarded_ou_after_approval() {
    let guarded = LANDING_ZONE.replace(
        "path = \"Applications/Sandbox\"",
        "path = \"Applications/Sandbox\"\napproval = true",
    );
    let (server, _) = governed_in(&guarded).await;
    let to = |unit: &str| json!({ "organizational_unit": unit, "reason": "Reorganized" });
    let path = format!("{ACCOUNT}/move");
    for (unit, said) in [
        (
            "Applications/Prodction",
            "there are Restricted, Admin, Applications",
        ),
        ("Quarantine", "nothing is moved into Quarantine"),
        ("Suspended", "nothing is moved into Suspended"),
        ("", "there is no organizational unit"),
    ] {
        let refused = server.post(&path, &to(unit)).await;
        refused.is_problem(422, "invalid-fields");
        let error = &refused.body["errors"][0];
        assert_eq!(error["pointer"], "/organizational_unit");
        assert!(
            error["rule"].as_str().unwrap().contains(said),
            "{}",
            refused.text
        );
    }
    let moved = server.post(&path, &to("Applications/Development")).await;
    assert_eq!(moved.status, 202, "{}", moved.text);
    assert_eq!(
        moved.body["organizational_unit"],
        "Applications/Development"
    );
    assert_eq!(moved.body.get("wish"), None);

    let asked = server.post(&path, &to("Applications/Sandbox")).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    assert_eq!(
        asked.body["organizational_unit"],
        "Applications/Development"
    );
    assert_eq!(
        asked.body["wish"]["organizational_unit"],
        "Applications/Sandbox"
    );
    let sam = server.token("sam", Role::Security).await;
    let approved = server
        .post_as(&sam, &format!("{ACCOUNT}/approve"), &json!({}))
        .await;
    assert_eq!(approved.body["organizational_unit"], "Applications/Sandbox");
    assert_eq!(approved.body.get("wish"), None, "{}", approved.text);
}

#[tokio::test]
async fn what_the_landing_zone_needs_is_neither_moved_nor_closed_nor_enrolled() {
    let server = Server::start().await;
    let reason = json!({ "reason": "x" });
    let to = json!({ "organizational_unit": "Applications/Sandbox", "reason": "x" });
    for (path, body) in [("close", &reason), ("move", &to), ("enroll", &json!({}))] {
        let refused = server.post(&format!("{MANAGEMENT}/{path}"), body).await;
        refused.is_problem(409, "protected-account");
        assert!(
            refused.body["detail"]
                .as_str()
                .unwrap()
                .contains("management account")
        );
    }
    for (path, body) in [("close", &reason), ("move", &to)] {
        let refused = server
            .post(&format!("/accounts/999999999999/{path}"), body)
            .await;
        refused.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn enrolling_needs_the_platform_team_a_number_and_a_way_to_aws() {
    let server = Server::start().await;
    let sam = server.token("sam", Role::Security).await;
    server
        .post_as(&sam, &format!("{ACCOUNT}/enroll"), &json!({}))
        .await
        .is_problem(403, "forbidden");
    server
        .get("/accounts/42/enrollment")
        .await
        .is_problem(400, "bad-parameter");
    let unit = server
        .get(&format!("{ACCOUNT}/enrollment?organizational_unit=Nowhere"))
        .await;
    unit.is_problem(422, "invalid-fields");
    // This server has no AWS.
    let look = server.get(&format!("{ACCOUNT}/enrollment")).await;
    look.is_problem(503, "unavailable");
}
