//! Taking over accounts that were there before Landfall.
//!
//! The one place where handlers look at AWS, through `enrollment::Examiner`: who takes an account over wants to know
//! what is in it before anything is changed, and its name, root e-mail and OU are AWS's to tell. Nothing is changed here.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json as Reply};
use landfall_model::aws_state::AwsState;
use landfall_model::finding::{Finding, Severity};
use landfall_model::ids::{AccountId, OuPath};
use landfall_model::request::{FieldError, RequestForm};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::{Json, Path, Query};
use super::idempotency::{self, Call};
use super::problem::{Kind, Problem, ProblemDocument};
use super::requests::{AccountRequest, accepted};
use crate::enrollment::Examined;
use crate::store::{Added, Idempotency, NewRequest, Purpose};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(look))
        .routes(routes!(enroll))
}

/// What was found in an account that might be enrolled.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EnrollmentReport {
    #[schema(example = "222222222222")]
    pub account_id: String,
    pub name: String,
    /// The root e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[schema(value_type = String, example = "active")]
    pub aws_state: AwsState,
    /// Where it stands; absent in the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// Whether nothing has to be mended first.
    pub can_be_enrolled: bool,
    /// What was looked at: `severity` is `fine` (adopted as it is), `landfall` (Landfall will do it), `unread`, `warning`,
    /// or `mend` (somebody has to mend it first), with `subject`, `what`, `why` and `mend`.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub findings: Vec<Finding>,
}

impl From<Examined> for EnrollmentReport {
    fn from(examined: Examined) -> Self {
        EnrollmentReport {
            account_id: examined.member.account.into(),
            name: examined.member.name,
            email: examined.member.email.map(String::from),
            aws_state: examined.member.state,
            organizational_unit: examined.organizational_unit.map(String::from),
            can_be_enrolled: stands_in_the_way(&examined.findings).is_none(),
            findings: examined.findings,
        }
    }
}

/// The finding because of which an account cannot be entered. What a control cannot do yet shows with its cell later.
fn stands_in_the_way(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| {
        finding.severity == Severity::Mend
            && ["account", "execution role"].contains(&finding.subject.as_str())
    })
}

/// Who answers for an account that is taken over. Its name and root e-mail are AWS's to tell.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollForm {
    /// Who answers for the account.
    #[serde(default)]
    #[schema(example = "payments@example.com", required = true)]
    pub owner_email: String,
    #[serde(default)]
    #[schema(example = "4711", required = true)]
    pub cost_center: String,
    #[serde(default)]
    #[schema(example = "production", required = true)]
    pub environment: String,
    /// Why it is enrolled.
    #[serde(default)]
    #[schema(required = true)]
    pub justification: String,
    /// Where it is to go; it stays where it is when this is left out.
    #[serde(default)]
    pub organizational_unit: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LookQuery {
    /// The OU that it is to go to, where it is not to stay in its own.
    organizational_unit: Option<String>,
}

impl Api {
    /// Looks at an account in AWS.
    async fn examined(&self, number: &str, wanted: Option<&OuPath>) -> Result<Examined, Problem> {
        let account: AccountId = number.parse().map_err(|error| {
            Problem::bad_parameter("account_id", format_args!("is wrong: {error}"))
        })?;
        if account == self.landing_zone.management_account {
            return Err(Problem::new(
                Kind::ProtectedAccount,
                format!("{number} is the organization's management account: it is not enrolled."),
            ));
        }
        let examiner = self.examiner.as_ref().ok_or_else(|| {
            Problem::new(
                Kind::Unavailable,
                "This server has no way to AWS: ask one that runs the engine.",
            )
        })?;
        let examined = examiner.examine(&account, wanted).await.map_err(|error| {
            tracing::warn!(%error, "the account could not be looked at");
            Problem::new(
                Kind::Unavailable,
                format!(
                    "AWS did not let Landfall look: {error} {}",
                    error.kind.advice()
                ),
            )
        })?;
        examined
            .ok_or_else(|| Problem::not_found(format_args!("account {number} in the organization")))
    }

    fn wanted_unit(&self, named: Option<&str>) -> Result<Option<OuPath>, Problem> {
        let zone = &self.landing_zone;
        named
            .map(|named| {
                self.unit(named, &[&zone.quarantine, &zone.suspended])
                    .map(|unit| unit.path.clone())
            })
            .transpose()
    }
}

/// Look at what enrolling an account would meet
///
/// Nothing is changed. The findings say what is adopted as it is, what Landfall would do, and what has to be mended first.
#[utoipa::path(
    get,
    path = "/accounts/{account_id}/enrollment",
    operation_id = "examine_account",
    tag = "accounts",
    params(("account_id" = String, Path, description = "Twelve digits"), LookQuery),
    responses(
        (status = 200, body = EnrollmentReport),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn look(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    Query(query): Query<LookQuery>,
) -> Result<Reply<EnrollmentReport>, Problem> {
    authorize(&principal, Action::EnrollAccount)?;
    let wanted = api.wanted_unit(query.organizational_unit.as_deref())?;
    let examined = api.examined(&account_id, wanted.as_ref()).await?;
    Ok(Reply(examined.into()))
}

/// Take over an account of the organization that Landfall did not make
///
/// It keeps its OU unless another is named, never waits in quarantine, and what is there already is adopted. Where only
/// the role OrganizationAccountAccessRole opens it, Landfall makes its own through that.
#[utoipa::path(
    post,
    path = "/accounts/{account_id}/enroll",
    operation_id = "enroll_account",
    tag = "accounts",
    params(
        ("account_id" = String, Path, description = "Twelve digits"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body enroll once"),
    ),
    request_body = EnrollForm,
    responses(
        (status = 202, body = AccountRequest, headers(("Location" = String, description = "The request by which it is known"))),
        (status = 409, description = "Landfall knows the account already, or something has to be mended first", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Fields break rules", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn enroll(
    State(api): State<Api>,
    principal: Principal,
    Path(account_id): Path<String>,
    call: Option<Extension<Call>>,
    Json(form): Json<EnrollForm>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::EnrollAccount)?;
    let wanted = api.wanted_unit(form.organizational_unit.as_deref())?;
    let examined = api.examined(&account_id, wanted.as_ref()).await?;
    if let Some(finding) = stands_in_the_way(&examined.findings) {
        return Err(Problem::new(
            Kind::NotEnrollable,
            format!(
                "{}: {}. {} To mend it:\n{}",
                finding.subject,
                finding.what,
                finding.why,
                finding.mend.as_deref().unwrap_or_default()
            ),
        ));
    }
    let field = |pointer: &str, rule: String| {
        Problem::invalid(vec![FieldError {
            pointer: pointer.to_owned(),
            rule,
        }])
    };
    let unit = wanted.or(examined.organizational_unit.clone());
    let named = unit.as_ref().map_or("the root", OuPath::as_str);
    if unit
        .as_ref()
        .is_none_or(|unit| api.landing_zone.unit(unit).is_none())
    {
        return Err(field(
            "/organizational_unit",
            format!(
                "the account stands in {named}, which the landing zone does not name: say where it is to go, or add that OU to the landing zone"
            ),
        ));
    }
    let Some(email) = examined.member.email.clone() else {
        return Err(Problem::new(
            Kind::NotEnrollable,
            "The account's root e-mail is of a form that AWS takes no more: change it first, as its root user.",
        ));
    };
    let request = RequestForm {
        name: printable(&examined.member.name),
        owner_email: form.owner_email,
        organizational_unit: named.to_owned(),
        cost_center: form.cost_center,
        environment: form.environment,
        justification: form.justification,
        email: Some(email.to_string()),
        tags: form.tags,
    };
    let request = request
        .check_existing(&api.landing_zone)
        .map_err(Problem::invalid)?;
    let new = NewRequest {
        id: Uuid::now_v7(),
        request: &request,
        email,
        purpose: Purpose::Application,
        requested_by: &principal.name,
        existing: Some(examined.member.account),
        idempotency: call.as_deref().map(|call| Idempotency {
            principal: &call.principal,
            key: &call.key,
            fingerprint: &call.fingerprint,
        }),
    };
    match api.store.add_request(&new, api.now()).await? {
        Added::New(account) | Added::Repeated(account) => {
            Ok(accepted(api.request_of(account).await?))
        }
        Added::KeyReused => Err(idempotency::key_reused()),
        Added::EmailTaken { by } | Added::AccountTaken { by } => Err(Problem::account_known(by)),
    }
}

/// A name as Landfall keeps names: an account that was invited may be called anything.
fn printable(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
        .take(50)
        .collect();
    if name.trim().is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}
