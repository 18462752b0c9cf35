//! Tokens let in while they are valid; the first answer to an `Idempotency-Key` stands.

use jiff::SignedDuration;
use landfall_server::store::{NewToken, Role, StoreError, StoredReply};
use landfall_tests::database::both;
use serde_json::json;
use uuid::Uuid;

use super::at;

fn token(hash: &str, role: Role) -> NewToken {
    NewToken {
        id: Uuid::now_v7(),
        prefix: "lf_abc".to_owned(),
        hash: hash.to_owned(),
        name: "ci".to_owned(),
        role,
        expires_at: Some(at(100)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_known_by_its_hash_until_it_ends() {
    both(async |db| {
        let store = &db.store;
        for (n, role) in [Role::Security, Role::Engineer, Role::Platform, Role::Administrator].into_iter().enumerate() {
            let made = store.create_token(&token(&format!("h{n}"), role), at(0)).await.unwrap();
            assert_eq!(store.token_by_hash(&format!("h{n}")).await.unwrap(), Some(made.clone()));
            assert!(made.role == role && made.is_valid(at(99)) && !made.is_valid(at(100)));
        }
        assert_eq!(store.token_by_hash("x").await.unwrap(), None);
        let twice = store.create_token(&token("h0", Role::Security), at(0)).await;
        assert!(
            matches!(&twice, Err(StoreError::Conflict { constraint }) if constraint.contains("hash")),
            "{twice:?}"
        );
        let all = store.list_tokens().await.unwrap();
        assert_eq!(all.len(), 4);
        assert!(store.revoke_token(all[0].id, at(5)).await.unwrap());
        assert!(!store.revoke_token(all[0].id, at(6)).await.unwrap());
        let revoked = store.token_by_hash("h0").await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(at(5)));
        assert!(!revoked.is_valid(at(5)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_to_begin_with_is_valid_after_every_start() {
    both(async |db| {
        let store = &db.store;
        let first = NewToken {
            expires_at: None,
            ..token("h", Role::Administrator)
        };
        store.ensure_token(&first, at(0)).await.unwrap();
        assert!(store.revoke_token(first.id, at(1)).await.unwrap());
        store
            .ensure_token(
                &NewToken {
                    id: Uuid::now_v7(),
                    ..first.clone()
                },
                at(2),
            )
            .await
            .unwrap();
        let known = store.token_by_hash("h").await.unwrap().unwrap();
        assert!(known.is_valid(at(1_000_000)));
        assert_eq!(known.id, first.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_answer_stands() {
    both(async |db| {
        let store = &db.store;
        let reply = |status| StoredReply {
            fingerprint: "f".to_owned(),
            status,
            location: (status == 202).then(|| "/api/v1/plans/1".to_owned()),
            body: json!({"id": status}),
        };
        assert_eq!(store.idempotent("alice", "k").await.unwrap(), None);
        assert!(
            store
                .remember_reply("alice", "k", &reply(202), at(0))
                .await
                .unwrap()
        );
        assert!(
            !store
                .remember_reply("alice", "k", &reply(500), at(1))
                .await
                .unwrap()
        );
        assert!(
            store
                .remember_reply("bob", "k", &reply(204), at(1))
                .await
                .unwrap()
        );
        assert_eq!(
            store.idempotent("alice", "k").await.unwrap(),
            Some(reply(202))
        );
        assert_eq!(
            store.idempotent("bob", "k").await.unwrap(),
            Some(reply(204))
        );
        store
            .forget_old(at(0) + SignedDuration::from_hours(23))
            .await
            .unwrap();
        assert!(store.idempotent("alice", "k").await.unwrap().is_some());
        store
            .forget_old(at(2) + SignedDuration::from_hours(24))
            .await
            .unwrap();
        assert_eq!(store.idempotent("alice", "k").await.unwrap(), None);
    })
    .await;
}
