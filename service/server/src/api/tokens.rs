//! Bearer tokens: made, listed, revoked. A token is told once, when it is made.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use landfall_model::consent::is_same;
use landfall_model::request::FieldError;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{self, Action, Principal, Role, authorize};
use super::extract::{Json, Path};
use super::idempotency::Remember;
use super::page::Page;
use super::problem::{Problem, ProblemDocument};
use super::{Api, schema};
use crate::store::{ApiToken, LANDFALL, NewToken};

/// How many characters of a token are shown, `lf_` included.
const PREFIX: usize = 9;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(revoke))
}

/// A token, without what makes it one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: Uuid,
    /// How it begins, to recognize it by.
    #[schema(example = "lf_3fa94c")]
    pub prefix: String,
    /// Whose it is; the history names it.
    pub name: String,
    #[schema(schema_with = schema::role)]
    pub role: Role,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiToken> for Token {
    fn from(token: ApiToken) -> Self {
        Token {
            id: token.id,
            prefix: token.prefix,
            name: token.name,
            role: token.role,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A new token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewTokenReply {
    #[serde(flatten)]
    pub token: Token,
    /// The token itself. It is told here and never again, not even to the same Idempotency-Key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What token is wanted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenForm {
    /// Whose it will be: 1 to 100 characters.
    #[schema(example = "ci-payments")]
    pub name: String,
    #[schema(schema_with = schema::role)]
    pub role: Role,
    /// After how many days it lets nobody in any more; never when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u16>,
}

/// Make a token
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "create_token",
    tag = "tokens",
    request_body = TokenForm,
    responses(
        (status = 201, body = NewTokenReply),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(api): State<Api>,
    principal: Principal,
    Json(form): Json<TokenForm>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::ManageTokens)?;
    let now = api.now();
    let secret = auth::generate()?;
    let new = NewToken {
        id: Uuid::now_v7(),
        prefix: secret.expose_secret()[..PREFIX].to_owned(),
        hash: auth::hash(&secret).to_hex().to_string(),
        name: api.free_name(&form.name, now).await?,
        role: form.role,
        expires_at: expiry(form.expires_in_days, now)?,
    };
    let token = Token::from(api.store.create_token(&new, now).await?);
    tracing::info!(token_id = %token.id, role = token.role.name(), by = principal.name, "token {} made", token.id);
    let remembered = serde_json::to_value(&token).expect("a token's row is plain data");
    let reply = NewTokenReply {
        token,
        secret: Some(secret.expose_secret().to_owned()),
    };
    let mut response = (StatusCode::CREATED, Reply(reply)).into_response();
    response.extensions_mut().insert(Remember(remembered));
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    Ok(response)
}

/// Names that stand in the history for somebody else than the bearer of a token.
const RESERVED: [&str; 2] = [auth::BOOTSTRAP, LANDFALL];

impl Api {
    /// A name for a new token: the history tells people apart by it. One name may have several tokens, so that one can take
    /// over from another.
    async fn free_name(&self, name: &str, now: Timestamp) -> Result<String, Problem> {
        let name = checked_name(name)?;
        let taken = |rule: String| {
            Err(Problem::invalid(vec![FieldError {
                pointer: "/name".to_owned(),
                rule,
            }]))
        };
        if let Some(reserved) = RESERVED.iter().find(|other| is_same(other, &name)) {
            return taken(format!(
                "`{reserved}` is a name of Landfall's own: take another"
            ));
        }
        let tokens = self.store.list_tokens().await?;
        let alike = |token: &&ApiToken| {
            token.is_valid(now) && token.name != name && is_same(&token.name, &name)
        };
        match tokens.iter().find(alike) {
            Some(other) => taken(format!(
                "differs from `{}`, which has a token, in capitals alone: take that name, or one that nobody mixes up with it",
                other.name
            )),
            None => Ok(name),
        }
    }
}

fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(Problem::invalid(vec![FieldError {
        pointer: "/name".to_owned(),
        rule: "must be 1 to 100 characters".to_owned(),
    }]))
}

fn expiry(days: Option<u16>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    match days {
        None => Ok(None),
        Some(days @ 1..) => Ok(Some(now + SignedDuration::from_hours(24 * i64::from(days)))),
        Some(0) => Err(Problem::invalid(vec![FieldError {
            pointer: "/expires_in_days".to_owned(),
            rule: "must be 1 or more".to_owned(),
        }])),
    }
}

/// List tokens, oldest first
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "list_tokens",
    tag = "tokens",
    responses(
        (status = 200, body = Page<Token>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(State(api): State<Api>, principal: Principal) -> Result<Reply<Page<Token>>, Problem> {
    authorize(&principal, Action::ManageTokens)?;
    let tokens = api.store.list_tokens().await?;
    Ok(Reply(Page {
        items: tokens.into_iter().map(Token::from).collect(),
        next_cursor: None,
    }))
}

/// Revoke a token: it lets nobody in any more
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revoke_token",
    tag = "tokens",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    authorize(&principal, Action::ManageTokens)?;
    if !api.store.revoke_token(id, api.now()).await? {
        return Err(Problem::not_found(format_args!("valid token {id}")));
    }
    tracing::info!(token_id = %id, by = principal.name, "token {id} revoked");
    Ok(StatusCode::NO_CONTENT)
}
