//! Statements and rows in the few types that both databases share: text, integers, booleans and JSON.
//!
//! A statement is written once and bound to values of `Value`; a row is read by name into domain types, here and nowhere
//! else. So a caller never meets a type of one database, and a value that Landfall did not write becomes
//! `StoreError::Corrupt` that names the row and the column.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query as SqlxQuery;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr, SqlStr};
use uuid::Uuid;

use landfall_model::ids::TargetId;
use landfall_model::json_text::JsonText;

use super::error::StoreError;

/// A value to bind.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(bool),
    Json(Option<Box<RawValue>>),
}

impl Value {
    /// JSON of something that is plain data: it cannot fail to serialize.
    pub(super) fn json<T: Serialize>(content: &T) -> Value {
        Value::Json(Some(
            serde_json::value::to_raw_value(content).expect("plain data has a JSON form"),
        ))
    }

    /// As `json`; nothing is stored for `None`.
    pub(super) fn maybe_json<T: Serialize>(content: Option<&T>) -> Value {
        match content {
            Some(content) => Value::json(content),
            None => Value::Json(None),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Value::Text(text.map(str::to_owned))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(Some(text))
    }
}

/// As text on both databases: PostgreSQL's `jsonb` would write it anew, in an order of its own.
impl From<Option<&JsonText>> for Value {
    fn from(json: Option<&JsonText>) -> Self {
        Value::Text(json.map(|json| json.as_str().to_owned()))
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Value::Text(Some(id.to_string()))
    }
}

impl From<Option<Uuid>> for Value {
    fn from(id: Option<Uuid>) -> Self {
        Value::Text(id.map(|id| id.to_string()))
    }
}

impl From<TargetId> for Value {
    fn from(id: TargetId) -> Self {
        Value::Text(Some(id.to_string()))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Integer(Some(number.into()))
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Value::Boolean(yes)
    }
}

/// Times are milliseconds since 1970 on both databases.
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Value::Integer(Some(at.as_millisecond()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Value::Integer(at.map(Timestamp::as_millisecond))
    }
}

/// A statement with the values of its `$1`, `$2`, …
#[derive(Debug)]
pub(super) struct Query {
    sql: SqlStr,
    values: Vec<Value>,
    /// Whether each value is used once, in its order.
    in_order: bool,
}

/// A statement that is written out in the program.
pub(super) fn query(sql: &'static str) -> Query {
    Query {
        sql: sql.into_sql_str(),
        values: Vec::new(),
        in_order: false,
    }
}

impl Query {
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// SQLite and its driver look placeholders that have names up one by one, each by going through all before it. A text
    /// that takes its values in their order needs no names.
    pub(super) fn lite(self) -> SqlxQuery<'static, Sqlite, SqliteArguments> {
        let query = sqlx::query(match self.in_order {
            true => AssertSqlSafe(without_numbers(self.sql.as_str())).into_sql_str(),
            false => self.sql,
        });
        self.values
            .into_iter()
            .fold(query, |query, value| match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(number) => query.bind(number),
                Value::Boolean(yes) => query.bind(yes),
                Value::Json(content) => query.bind(content.map(Json)),
            })
    }

    pub(super) fn pg(self) -> SqlxQuery<'static, Postgres, PgArguments> {
        let query = sqlx::query(self.sql);
        self.values
            .into_iter()
            .fold(query, |query, value| match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(number) => query.bind(number),
                Value::Boolean(yes) => query.bind(yes),
                Value::Json(content) => query.bind(content.map(Json)),
            })
    }
}

/// A statement put together from pieces that are written out in the program: filters that are there or not, rows of
/// values, fragments of the dialect. Values never become part of the text.
#[derive(Default)]
pub(super) struct Builder {
    sql: String,
    values: Vec<Value>,
}

impl Builder {
    pub(super) fn new(sql: &'static str) -> Self {
        Builder {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// The next placeholder, and its value.
    pub(super) fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push('$');
        self.sql.push_str(&self.values.len().to_string());
        self
    }

    /// `$4, $5, $6`; `null` where there are none, so that nothing is in an empty list.
    pub(super) fn list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        let before = self.values.len();
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.sql.push_str(", ");
            }
            self.value(value);
        }
        if self.values.len() == before {
            self.sql.push_str("null");
        }
        self
    }

    /// `($1, $2), ($3, $4)`: rows for an `insert … values`.
    pub(super) fn rows<const N: usize>(
        &mut self,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> &mut Self {
        for (index, row) in rows.into_iter().enumerate() {
            self.sql.push_str(if index > 0 { ", (" } else { "(" });
            self.list(row);
            self.sql.push(')');
        }
        self
    }

    pub(super) fn query(self) -> Query {
        Query {
            sql: AssertSqlSafe(self.sql).into_sql_str(),
            values: self.values,
            in_order: true,
        }
    }
}

/// `$1, $2` as `?, ?`.
fn without_numbers(sql: &str) -> String {
    let mut pieces = sql.split('$');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push('?');
        plain += piece.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    plain
}

/// A row of either database.
pub(super) enum Row {
    Lite(SqliteRow),
    Pg(PgRow),
}

/// A column that does not hold what it should.
#[derive(Debug)]
pub(super) struct BadColumn {
    column: String,
    reason: String,
}

impl BadColumn {
    pub(super) fn new(column: &str, reason: impl Display) -> Self {
        BadColumn {
            column: column.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// What a table's row, or a query's, means. The only place where rows become domain types.
pub(super) trait Stored: Sized {
    const TABLE: &'static str;
    /// The column that names the row in an error.
    const KEY: &'static str;

    fn read(row: &Row) -> Result<Self, BadColumn>;
}

macro_rules! get {
    ($row:expr, $column:expr) => {
        match $row {
            Row::Lite(row) => row.try_get($column),
            Row::Pg(row) => row.try_get($column),
        }
        .map_err(|error| BadColumn::new($column, error))
    };
}

impl Row {
    pub(super) fn read<T: Stored>(&self) -> Result<T, StoreError> {
        T::read(self).map_err(|bad| StoreError::Corrupt {
            table: T::TABLE,
            key: self.text(T::KEY).unwrap_or_else(|_| "?".to_owned()),
            column: bad.column,
            reason: bad.reason,
        })
    }

    pub(super) fn text(&self, column: &str) -> Result<String, BadColumn> {
        get!(self, column)
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, BadColumn> {
        get!(self, column)
    }

    pub(super) fn integer(&self, column: &str) -> Result<i64, BadColumn> {
        get!(self, column)
    }

    pub(super) fn maybe_integer(&self, column: &str) -> Result<Option<i64>, BadColumn> {
        get!(self, column)
    }

    /// A number that its type here must be able to hold.
    pub(super) fn number<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &str,
    ) -> Result<T, BadColumn> {
        T::try_from(self.integer(column)?).map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn boolean(&self, column: &str) -> Result<bool, BadColumn> {
        get!(self, column)
    }

    /// A name with a form of its own: an account id, an e-mail, a Region.
    pub(super) fn name<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, BadColumn> {
        self.text(column)?
            .parse()
            .map_err(|error: T::Err| BadColumn::new(column, error))
    }

    pub(super) fn maybe_name<T: FromStr<Err: Display>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, BadColumn> {
        self.maybe_text(column)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| BadColumn::new(column, error))
    }

    /// A word of a closed enum, as in its JSON form.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, BadColumn> {
        serde_json::from_value(serde_json::Value::String(self.text(column)?))
            .map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn maybe_word<T: DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, BadColumn> {
        self.maybe_text(column)?
            .map(|text| serde_json::from_value(serde_json::Value::String(text)))
            .transpose()
            .map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, BadColumn> {
        Timestamp::from_millisecond(self.integer(column)?)
            .map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, BadColumn> {
        self.maybe_integer(column)?
            .map(Timestamp::from_millisecond)
            .transpose()
            .map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, BadColumn> {
        let content: Json<&RawValue> = get!(self, column)?;
        serde_json::from_str(content.0.get()).map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, BadColumn> {
        let content: Option<Json<&RawValue>> = get!(self, column)?;
        content
            .map(|content| serde_json::from_str(content.0.get()))
            .transpose()
            .map_err(|error| BadColumn::new(column, error))
    }

    pub(super) fn maybe_json_text(&self, column: &str) -> Result<Option<JsonText>, BadColumn> {
        self.maybe_text(column)?
            .map(JsonText::parse)
            .transpose()
            .map_err(|error| BadColumn::new(column, error))
    }
}
