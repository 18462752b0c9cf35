//! What SQLite and PostgreSQL have to be told differently: everything else is one text for both.

/// The pieces that differ. SQLite has one writer at a time, so what PostgreSQL needs row locks for it has anyway.
pub(super) struct Dialect {
    /// Keeps others from changing the rows that a transaction has read.
    pub(super) for_update: &'static str,
    /// The same for a claim: rows that another replica is claiming are left to it.
    pub(super) for_claim: &'static str,
    /// Lets one transaction after the other decide on a `CreateAccount`.
    pub(super) one_creation_at_a_time: Option<&'static str>,
    /// The same for a `CloseAccount`.
    pub(super) one_closure_at_a_time: Option<&'static str>,
    /// An asset's tags as rows of `key` and `value`. An operator would do on PostgreSQL; on SQLite it takes some keys for paths.
    pub(super) each_tag: &'static str,
    /// How many elements a JSON array has.
    pub(super) array_length: &'static str,
    /// Tells the other replicas on a channel, `$1`, when the transaction is through; `$2` is the payload.
    pub(super) notify: Option<&'static str>,
}

pub(super) const LITE: Dialect = Dialect {
    for_update: "",
    for_claim: "",
    one_creation_at_a_time: None,
    one_closure_at_a_time: None,
    each_tag: "json_each(tags)",
    array_length: "json_array_length",
    notify: None,
};

pub(super) const PG: Dialect = Dialect {
    for_update: " for update",
    for_claim: " for update skip locked",
    one_creation_at_a_time: Some("select pg_advisory_xact_lock(4711, 1)"),
    one_closure_at_a_time: Some("select pg_advisory_xact_lock(4711, 2)"),
    each_tag: "jsonb_each_text(tags)",
    array_length: "jsonb_array_length",
    notify: Some("select pg_notify($1, $2)"),
};
