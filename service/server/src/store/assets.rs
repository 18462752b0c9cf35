//! The CMDB: every resource that Landfall created or governs, whose it is, and what it was before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use landfall_model::asset::Asset;
use landfall_model::ids::{AccountId, Region, TargetId};

use super::accounts::Account;
use super::db::Tx;
use super::error::StoreError;
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Page, Store, chunks};

/// All that one source sees of a target: what it reported before and does not report now is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetReport {
    /// Who looked: a cell, as `control/region`.
    pub source: String,
    pub assets: Vec<Asset>,
}

/// A row of the CMDB.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssetRow {
    #[serde(flatten)]
    pub asset: Asset,
    pub owner: String,
    pub tags: BTreeMap<String, String>,
    pub source: String,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// Since when it is no longer there.
    pub gone_at: Option<Timestamp>,
}

/// What an asset was from a moment on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssetVersion {
    pub seen_at: Timestamp,
    /// `None` when it was gone.
    pub configuration: Option<Json>,
}

/// Which assets a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetFilter {
    /// CloudFormation's name of the type.
    pub kind: Option<String>,
    pub account_id: Option<AccountId>,
    pub region: Option<Region>,
    pub owner: Option<String>,
    /// What the name begins with; case does not matter.
    pub name_prefix: Option<String>,
    /// A tag that the asset has, and its value.
    pub tag: Option<(String, String)>,
    /// Also what is gone.
    pub gone: bool,
}

/// Whose something is.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// What was asked: an ARN, the number of an account, the id of a resource.
    pub key: String,
    /// The assets that it names; several where an id is not unique.
    pub assets: Vec<AssetRow>,
    /// The account that it names or is in.
    pub account: Option<Account>,
}

const SELECT: &str =
    "select id, type, account_id, region, name, owner, tags, configuration, source,
    first_seen_at, last_seen_at, gone_at from asset";

impl Stored for AssetRow {
    const TABLE: &'static str = "asset";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(AssetRow {
            asset: Asset {
                arn: row.text("id")?,
                kind: row.text("type")?,
                account_id: row.name("account_id")?,
                region: row.maybe_name("region")?,
                name: row.text("name")?,
                configuration: row.json("configuration")?,
            },
            owner: row.text("owner")?,
            tags: row.json("tags")?,
            source: row.text("source")?,
            first_seen_at: row.time("first_seen_at")?,
            last_seen_at: row.time("last_seen_at")?,
            gone_at: row.maybe_time("gone_at")?,
        })
    }
}

impl Stored for AssetVersion {
    const TABLE: &'static str = "asset_version";
    const KEY: &'static str = "asset_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(AssetVersion {
            seen_at: row.time("seen_at")?,
            configuration: row.maybe_json("configuration")?,
        })
    }
}

/// Writes down what sources see of a target. A changed configuration becomes a new version; what a source reported before
/// and does not report now is marked as gone.
pub(super) async fn put_in(
    tx: &mut Tx,
    target: TargetId,
    reports: &[AssetReport],
    owner: &str,
    tags: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut of_sources = Builder::new(SELECT);
    of_sources
        .push(" where target_id = ")
        .value(target)
        .push(" and source in (")
        .list(reports.iter().map(|report| report.source.as_str().into()))
        .push(")");
    let before: Vec<AssetRow> = tx.all(of_sources.query()).await?;
    let known: BTreeMap<&str, &AssetRow> = before
        .iter()
        .map(|row| (row.asset.arn.as_str(), row))
        .collect();
    let seen: BTreeMap<&str, (&Asset, &str)> = reports
        .iter()
        .flat_map(|report| {
            let source = report.source.as_str();
            report.assets.iter().map(move |asset| (asset, source))
        })
        .map(|(asset, source)| (asset.arn.as_str(), (asset, source)))
        .collect();

    // Most are as they were: a word on when they were seen is all there is to write.
    let (same, differs): (Vec<_>, Vec<_>) = seen.values().copied().partition(|(asset, source)| {
        known.get(asset.arn.as_str()).is_some_and(|row| {
            row.gone_at.is_none()
                && row.asset == **asset
                && row.source == *source
                && row.owner == owner
                && row.tags == *tags
        })
    });
    for rows in chunks(&same) {
        let mut saw = Builder::new("update asset set last_seen_at = ");
        saw.value(now)
            .push(" where last_seen_at < ")
            .value(now)
            .push(" and id in (")
            .list(rows.iter().map(|(asset, _)| asset.arn.as_str().into()))
            .push(")");
        tx.execute(saw.query()).await?;
    }
    for rows in chunks(&differs) {
        upsert(tx, target, rows, owner, tags, now).await?;
    }

    let gone: Vec<&str> = before
        .iter()
        .filter(|row| row.gone_at.is_none() && !seen.contains_key(row.asset.arn.as_str()))
        .map(|row| row.asset.arn.as_str())
        .collect();
    for arns in chunks(&gone) {
        let mut mark = Builder::new("update asset set gone_at = ");
        mark.value(now)
            .push(" where id in (")
            .list(arns.iter().map(|arn| (*arn).into()))
            .push(")");
        tx.execute(mark.query()).await?;
    }

    let changed = differs.iter().filter_map(|(asset, _)| {
        let same = known.get(asset.arn.as_str()).is_some_and(|row| {
            row.gone_at.is_none() && row.asset.configuration == asset.configuration
        });
        (!same).then_some((asset.arn.as_str(), Some(&asset.configuration)))
    });
    let versions: Vec<_> = changed.chain(gone.iter().map(|arn| (*arn, None))).collect();
    for versions in chunks(&versions) {
        let mut insert =
            Builder::new("insert into asset_version (asset_id, seen_at, configuration) values ");
        insert.rows(versions.iter().map(|(arn, configuration)| -> [Value; 3] {
            [(*arn).into(), now.into(), Value::maybe_json(*configuration)]
        }));
        insert.push(
            " on conflict (asset_id, seen_at) do update set configuration = excluded.configuration",
        );
        tx.execute(insert.query()).await?;
    }
    Ok(())
}

async fn upsert(
    tx: &mut Tx,
    target: TargetId,
    rows: &[(&Asset, &str)],
    owner: &str,
    tags: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut upsert = Builder::new(
        "insert into asset (id, type, account_id, region, name, resource_id, name_lower, owner, tags,
            configuration, first_seen_at, last_seen_at, target_id, source) values ",
    );
    upsert.rows(rows.iter().map(|(asset, source)| -> [Value; 14] {
        [
            asset.arn.as_str().into(),
            asset.kind.as_str().into(),
            asset.account_id.as_str().into(),
            asset.region.as_ref().map(Region::as_str).into(),
            asset.name.as_str().into(),
            resource_id(&asset.arn).into(),
            asset.name.to_lowercase().into(),
            owner.into(),
            Value::json(tags),
            Value::json(&asset.configuration),
            now.into(),
            now.into(),
            target.into(),
            (*source).into(),
        ]
    }));
    upsert.push(
        " on conflict (id) do update set type = excluded.type, account_id = excluded.account_id,
            region = excluded.region, name = excluded.name, name_lower = excluded.name_lower,
            owner = excluded.owner, tags = excluded.tags, configuration = excluded.configuration,
            last_seen_at = case when asset.last_seen_at < excluded.last_seen_at then excluded.last_seen_at
                else asset.last_seen_at end,
            target_id = excluded.target_id, source = excluded.source, gone_at = null",
    );
    tx.execute(upsert.query()).await?;
    Ok(())
}

impl Store {
    /// Assets in the order of their ARNs. `cursor` is the `next` of the page before.
    pub async fn assets(
        &self,
        filter: &AssetFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AssetRow>, StoreError> {
        let mut list = Builder::new(SELECT);
        list.push(if filter.gone {
            " where 1 = 1"
        } else {
            " where gone_at is null"
        });
        if let Some(kind) = &filter.kind {
            list.push(" and type = ").value(kind.as_str());
        }
        if let Some(account) = &filter.account_id {
            list.push(" and account_id = ").value(account.as_str());
        }
        if let Some(region) = &filter.region {
            list.push(" and region = ").value(region.as_str());
        }
        if let Some(owner) = &filter.owner {
            list.push(" and owner = ").value(owner.as_str());
        }
        if let Some(prefix) = &filter.name_prefix {
            list.push(" and name_lower like ")
                .value(like_prefix(prefix))
                .push(" escape '!'");
        }
        if let Some((key, value)) = &filter.tag {
            list.push(" and exists (select 1 from ")
                .push(self.dialect().each_tag)
                .push(" as tag where tag.key = ")
                .value(key.as_str())
                .push(" and tag.value = ")
                .value(value.as_str())
                .push(")");
        }
        if let Some(cursor) = cursor {
            list.push(" and id > ").value(cursor);
        }
        list.push(" order by id limit ")
            .value(limit.saturating_add(1));
        let assets = self.db().all(list.query()).await?;
        Ok(Page::of(assets, limit, |row: &AssetRow| {
            row.asset.arn.clone()
        }))
    }

    /// The asset with this ARN, also when it is gone.
    pub async fn asset(&self, arn: &str) -> Result<Option<AssetRow>, StoreError> {
        let mut one = Builder::new(SELECT);
        one.push(" where id = ").value(arn);
        self.db().one(one.query()).await
    }

    /// What an asset was, oldest first.
    pub async fn asset_history(&self, arn: &str) -> Result<Vec<AssetVersion>, StoreError> {
        let history = query(
            "select asset_id, seen_at, configuration from asset_version where asset_id = $1 order by seen_at",
        );
        self.db().all(history.bind(arn)).await
    }

    /// Whose things are: by ARN, by the number of an account, or by the id of a resource as it stands at the end of
    /// its ARN. One answer for each key, in the same order; an ARN of a resource that is not known still names its account.
    pub async fn lookup(&self, keys: &[String]) -> Result<Vec<Lookup>, StoreError> {
        let mut assets: Vec<AssetRow> = Vec::new();
        for keys in chunks(keys) {
            let mut by_key = Builder::new(SELECT);
            by_key
                .push(" where id in (")
                .list(keys.iter().map(|key| key.as_str().into()))
                .push(") or resource_id in (")
                .list(keys.iter().map(|key| key.to_lowercase().into()))
                .push(") order by id");
            assets.extend(self.db().all::<AssetRow>(by_key.query()).await?);
        }
        // A resource's id says nothing of its account; the asset does.
        let numbers: BTreeSet<&str> = keys
            .iter()
            .filter_map(|key| account_of(key))
            .chain(assets.iter().map(|row| row.asset.account_id.as_str()))
            .collect();
        let accounts = self.accounts_by_number(numbers.into_iter()).await?;
        let answers = keys.iter().map(|key| {
            let id = key.to_lowercase();
            let found: Vec<AssetRow> = assets
                .iter()
                .filter(|row| row.asset.arn == *key || resource_id(&row.asset.arn) == id)
                .cloned()
                .collect();
            let number =
                account_of(key).or_else(|| found.first().map(|row| row.asset.account_id.as_str()));
            let account = number.and_then(|number| accounts.get(number)).cloned();
            Lookup {
                key: key.clone(),
                account,
                assets: found,
            }
        });
        Ok(answers.collect())
    }
}

/// The number of the account that a key is or, for an ARN, is in: `arn:partition:service:region:account:resource`.
fn account_of(key: &str) -> Option<&str> {
    let number = match key.strip_prefix("arn:") {
        Some(rest) => rest.split(':').nth(3)?,
        None => key,
    };
    number.parse::<AccountId>().is_ok().then_some(number)
}

/// The last part of an ARN in lower case, which AWS's consoles and other tools show as the resource's id.
fn resource_id(arn: &str) -> String {
    arn.rsplit(['/', ':']).next().unwrap_or(arn).to_lowercase()
}

/// A pattern for names that begin with `prefix`, whatever characters it has.
fn like_prefix(prefix: &str) -> String {
    let mut pattern = String::new();
    for c in prefix.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Marks all that a target reported as gone, as of `now`; the rows and their past stay.
pub(super) async fn all_gone(
    tx: &mut Tx,
    target: TargetId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let version = query(
        "insert into asset_version (asset_id, seen_at, configuration)
         select id, $1, null from asset where target_id = $2 and gone_at is null
         on conflict (asset_id, seen_at) do update set configuration = excluded.configuration",
    );
    tx.execute(version.bind(now).bind(target)).await?;
    let mark = query("update asset set gone_at = $1 where target_id = $2 and gone_at is null");
    tx.execute(mark.bind(now).bind(target)).await?;
    Ok(())
}
