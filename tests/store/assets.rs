//! The CMDB: what is there, whose it is, what it was.

use std::collections::BTreeMap;

use landfall_model::asset::Asset;
use landfall_server::store::{AssetFilter, AssetReport, Lease, LeaseState, Results, Store};
use landfall_tests::database::both;
use serde_json::json;

use super::{add, at, claim_one};

pub(super) fn asset(arn: &str, version: i64) -> Asset {
    Asset {
        arn: arn.to_owned(),
        kind: "AWS::S3::Bucket".to_owned(),
        account_id: "222222222222".parse().unwrap(),
        region: Some("eu-west-1".parse().unwrap()),
        name: format!("Bucket {}", arn.rsplit(':').next().unwrap()),
        configuration: json!({"version": version, "b": 1, "a": [null, 1.5]}),
    }
}

async fn put(store: &Store, lease: &Lease, source: &str, assets: Vec<Asset>, seconds: i64) {
    put_of("pay@example.com", store, lease, source, assets, seconds).await;
}

async fn put_of(
    owner: &str,
    store: &Store,
    lease: &Lease,
    source: &str,
    assets: Vec<Asset>,
    seconds: i64,
) {
    let report = AssetReport {
        source: source.to_owned(),
        assets,
    };
    let tags = BTreeMap::from([("team".to_owned(), "pay".to_owned())]);
    let results = Results {
        assets: &[report],
        owner,
        tags: &tags,
        ..Results::default()
    };
    let state = store.put_results(lease, &results, at(seconds)).await;
    assert_eq!(state.unwrap(), LeaseState::Held);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_it_was_is_seen_again_and_a_new_owner_is_no_version() {
    both(async |db| {
        let store = &db.store;
        add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        let arn = "arn:aws:s3:::one";
        // A look that is written down late does not turn the time back.
        for (owner, seconds, last_seen) in
            [("ann", 1, 1), ("ann", 4, 4), ("ann", 2, 4), ("bob", 5, 5)]
        {
            let assets = vec![asset(arn, 1)];
            put_of(owner, store, &lease, "s3.bucket/eu-west-1", assets, seconds).await;
            let row = store.asset(arn).await.unwrap().unwrap();
            assert_eq!(
                (row.owner.as_str(), row.last_seen_at),
                (owner, at(last_seen))
            );
            assert_eq!(row.first_seen_at, at(1));
        }
        assert_eq!(store.asset_history(arn).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_a_version_and_a_repeated_look_is_not() {
    both(async |db| {
        let store = &db.store;
        add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        let arn = "arn:aws:s3:::one";
        for (seconds, version) in [(1, 1), (2, 1), (3, 2)] {
            put(
                store,
                &lease,
                "s3.bucket/eu-west-1",
                vec![asset(arn, version)],
                seconds,
            )
            .await;
        }
        // Another source that sees nothing says nothing about this one.
        put(store, &lease, "s3.bucket/eu-west-2", vec![], 4).await;
        let row = store.asset(arn).await.unwrap().unwrap();
        assert_eq!(row.asset, asset(arn, 2));
        assert_eq!(
            (row.first_seen_at, row.last_seen_at, row.gone_at),
            (at(1), at(3), None)
        );
        assert_eq!(
            (row.owner.as_str(), row.tags["team"].as_str()),
            ("pay@example.com", "pay")
        );

        put(store, &lease, "s3.bucket/eu-west-1", vec![], 5).await;
        put(store, &lease, "s3.bucket/eu-west-1", vec![], 6).await;
        assert_eq!(
            store.asset(arn).await.unwrap().unwrap().gone_at,
            Some(at(5))
        );
        put(store, &lease, "s3.bucket/eu-west-1", vec![asset(arn, 2)], 7).await;
        assert_eq!(store.asset(arn).await.unwrap().unwrap().gone_at, None);
        let history: Vec<_> = store
            .asset_history(arn)
            .await
            .unwrap()
            .into_iter()
            .map(|version| {
                (
                    version.seen_at,
                    version
                        .configuration
                        .map(|content| content["version"].as_i64().unwrap()),
                )
            })
            .collect();
        assert_eq!(
            history,
            [
                (at(1), Some(1)),
                (at(3), Some(2)),
                (at(5), None),
                (at(7), Some(2))
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_found_by_what_people_know() {
    both(async |db| {
        let store = &db.store;
        add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        let mut assets: Vec<Asset> = (0..5)
            .map(|n| asset(&format!("arn:aws:s3:::b{n}"), 1))
            .collect();
        assets[0].kind = "AWS::IAM::Role".to_owned();
        assets[0].region = None;
        assets[1].name = "100%_Sure!".to_owned();
        assets[2].account_id = "333333333333".parse().unwrap();
        put(store, &lease, "x", assets.clone(), 1).await;
        put(
            store,
            &lease,
            "gone",
            vec![asset("arn:aws:s3:::gone", 1)],
            1,
        )
        .await;
        put(store, &lease, "gone", vec![], 2).await;
        let all = AssetFilter::default();
        let some = |text: &str| Some(text.to_owned());
        for (count, filter) in [
            (5, all.clone()),
            (
                6,
                AssetFilter {
                    gone: true,
                    ..all.clone()
                },
            ),
            (
                1,
                AssetFilter {
                    kind: some("AWS::IAM::Role"),
                    ..all.clone()
                },
            ),
            (
                1,
                AssetFilter {
                    account_id: Some("333333333333".parse().unwrap()),
                    ..all.clone()
                },
            ),
            (
                4,
                AssetFilter {
                    region: Some("eu-west-1".parse().unwrap()),
                    ..all.clone()
                },
            ),
            (
                5,
                AssetFilter {
                    owner: some("pay@example.com"),
                    ..all.clone()
                },
            ),
            (
                4,
                AssetFilter {
                    name_prefix: some("bUcKet b"),
                    ..all.clone()
                },
            ),
            (
                1,
                AssetFilter {
                    name_prefix: some("100%_s"),
                    ..all.clone()
                },
            ),
            (
                0,
                AssetFilter {
                    name_prefix: some("100_"),
                    ..all.clone()
                },
            ),
            (
                0,
                AssetFilter {
                    name_prefix: some("%"),
                    ..all.clone()
                },
            ),
            (
                5,
                AssetFilter {
                    tag: Some(("team".to_owned(), "pay".to_owned())),
                    ..all.clone()
                },
            ),
            (
                0,
                AssetFilter {
                    tag: Some(("team".to_owned(), "Pay".to_owned())),
                    ..all.clone()
                },
            ),
            (
                0,
                AssetFilter {
                    tag: Some(("$.team".to_owned(), "pay".to_owned())),
                    ..all.clone()
                },
            ),
        ] {
            let page = store.assets(&filter, None, 100).await.unwrap();
            assert_eq!(page.items.len(), count, "{filter:?}");
        }
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = store.assets(&all, cursor.as_deref(), 2).await.unwrap();
            seen.extend(page.items.into_iter().map(|row| row.asset));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, assets);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_is_this() {
    both(async |db| {
        let store = &db.store;
        let account = add(store, "a@example.com").await;
        let lease = claim_one(store, at(0)).await;
        assert_eq!(
            store
                .adopt(&lease, &"222222222222".parse().unwrap())
                .await
                .unwrap(),
            LeaseState::Held
        );
        let role = "arn:aws:iam::222222222222:role/Deploy";
        put(
            store,
            &lease,
            "x",
            vec![asset(role, 1), asset("arn:aws:s3:::b", 1)],
            1,
        )
        .await;
        let keys: Vec<String> = [
            role,
            "deploy",
            "b",
            "222222222222",
            "arn:aws:ec2:eu-west-1:222222222222:instance/i-1",
            "999999999999",
            "nothing",
        ]
        .map(str::to_owned)
        .to_vec();
        let answers = store.lookup(&keys).await.unwrap();
        let seen: Vec<_> = answers
            .iter()
            .map(|answer| {
                (
                    answer.key.as_str(),
                    answer.assets.len(),
                    answer.account.as_ref().map(|account| account.id),
                )
            })
            .collect();
        let ours = Some(account.id);
        let expected: Vec<_> = keys
            .iter()
            .map(String::as_str)
            .zip([
                (1, ours),
                (1, ours),
                (1, ours),
                (0, ours),
                (0, ours),
                (0, None),
                (0, None),
            ])
            .map(|(key, (assets, account))| (key, assets, account))
            .collect();
        assert_eq!(seen, expected);
        assert!(store.lookup(&[]).await.unwrap().is_empty());
    })
    .await;
}
