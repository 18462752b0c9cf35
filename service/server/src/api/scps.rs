//! Service control policies: what stands where, and what others would do.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, StatusCode, header};
use landfall_controls::organizations_policies;
use landfall_controls::policy_validation::open;
use landfall_model::ids::{AccountId, OuPath, TargetId};
use landfall_model::request::FieldError;
use landfall_model::scp::{InForce, ScpCourse, ScpSet, ScpTarget};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::auth::{Action, Principal, authorize};
use super::extract::Json;
use super::page::Page;
use super::problem::{Kind, Problem, ProblemDocument};
use super::scp_logs::Question;
use crate::html::POLICY;
use crate::log_reading::LogReader;
use crate::policy_validation;
use crate::scp_check::aws_findings::AwsFindings;
use crate::scp_check::files::ScpFiles;
use crate::scp_check::report::ScpReport;
use crate::scp_check::{Check, Known, Recorded, page};
use crate::store::{Account, AccountFilter, Purpose, StoreError};

/// The control that keeps policies where they should stand.
const CONTROL: &str = "organizations.policies";

/// Accounts that are read from the database at once.
const ACCOUNTS: u32 = 500;

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(check))
}

/// A service control policy that this server keeps in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Scp {
    #[schema(example = "deny-unused-regions")]
    pub name: String,
    /// The file that it was read from.
    pub file: String,
    /// Where it stands: paths of OUs, or `the root`.
    pub attached_to: Vec<String>,
    /// How many characters it has without white space.
    pub characters: usize,
    /// What it says, with the landing zone's words filled in.
    #[schema(value_type = Object)]
    pub document: Value,
}

/// Policies to check, and calls to check them with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScpCheckForm {
    /// The texts of a whole catalogue by file name: `NAME.json`, `attachments.toml`, `decisions/NAME.toml`. Without any, those
    /// that this server works with are checked.
    pub files: BTreeMap<String, String>,
    /// Recorded calls: the elements of `Records` in CloudTrail's log files.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Map<String, Value>>,
    /// Instead of `records`: the server reads the organization trail's log files of so many whole days, and of today.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 90)]
    pub days: Option<u16>,
    /// With `days`: goes on where the reading of another check ended, whose `impact.log_files.next_cursor` this is. The impacts add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-22/2026-11-20/eu-west-1/222222222222")]
    pub cursor: Option<String>,
    /// Whether to ask AWS's `ValidatePolicy` too what it finds in the policies. Where AWS refuses, `not_looked_at` says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub validate: bool,
    /// Of which accounts log files are read; of all without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["222222222222"]))]
    pub accounts: Vec<String>,
}

/// List service control policies, by name
#[utoipa::path(
    get,
    path = "/scps",
    operation_id = "list_scps",
    tag = "scps",
    responses(
        (status = 200, body = Page<Scp>),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn list(State(api): State<Api>, principal: Principal) -> Result<Reply<Page<Scp>>, Problem> {
    authorize(&principal, Action::Read)?;
    let (set, files) = api.scps.as_ref();
    let scp = |(name, text): (&String, &String)| {
        let targets = set
            .attachments
            .iter()
            .filter(|(_, names)| names.contains(name));
        Scp {
            name: name.clone(),
            file: files.file_of(name).to_owned(),
            attached_to: targets
                .map(|(target, _)| match target {
                    ScpTarget::Root => "the root".to_owned(),
                    ScpTarget::Unit(path) => path.to_string(),
                })
                .collect(),
            characters: text.chars().count(),
            document: serde_json::from_str(text).unwrap_or_default(),
        }
    };
    Ok(Reply(Page {
        items: set.documents.iter().map(scp).collect(),
        next_cursor: None,
    }))
}

/// Say what service control policies would do if they were attached
///
/// Nothing is changed, and AWS is not asked but for log files and, with `validate`, for what it finds itself. The answer says whether anything bars attaching them: a file that is wrong, a
/// lock-out of Landfall, a target without room, a decision that is not as its table says. With `records` it says which of these
/// calls would have been denied that were allowed under what stands now, rollouts and all; where no files are given, that were allowed
/// under AWS's own policy alone. With `days` the server reads recorded calls itself from the log bucket, newest days first, for at
/// most five minutes; what it did not read stands in the report, and `next_cursor` there, sent as `cursor`, has another check go on. With `Accept: text/html` the answer is a page for people.
#[utoipa::path(
    post,
    path = "/scps/check",
    operation_id = "check_scps",
    tag = "scps",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes no difference: a check changes nothing")),
    request_body = ScpCheckForm,
    responses(
        (status = 200, content((ScpReport = "application/json"), (String = "text/html"))),
        (status = 409, description = "There is no log bucket yet to read days from", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Files that have no place in a catalogue, or fields that break rules", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
async fn check(
    State(api): State<Api>,
    principal: Principal,
    headers: HeaderMap,
    Json(form): Json<ScpCheckForm>,
) -> Result<Response, Problem> {
    authorize(&principal, Action::Read)?;
    if form.days.is_some() {
        authorize(&principal, Action::ReadLogs)?;
    }
    let (_, own) = api.scps.as_ref();
    let placed = api.placed().await?;
    let wanted = api.wanted(&form, &placed)?;
    let mut known = Known {
        accounts: placed,
        others: api.others().await?,
        ..Known::default()
    };
    let files = if form.files.is_empty() {
        own.clone()
    } else {
        known.in_force = Some(api.named_in_force().await?);
        ScpFiles::named(form.files).map_err(|(name, error)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            Problem::invalid(vec![FieldError {
                pointer: format!("/files/{name}"),
                rule: error.to_string(),
            }])
        })?
    };
    if form.validate {
        known.aws_findings = Some(api.aws_findings(&files).await);
    }
    if let Some(wanted) = wanted {
        let page = wants_page(&headers);
        let question = Question { files, known, page };
        return api.check_with_logs(question, wanted).await;
    }
    let zone = api.landing_zone.clone();
    let records = form.records;
    // It takes as long as there are records, and the handlers' threads are few.
    let checked = tokio::task::spawn_blocking(move || {
        let check = Check::new(&files, &zone, &known);
        let recorded = check.replay().filter(|_| !records.is_empty());
        let recorded = recorded.map(|mut replay| {
            for record in &records {
                // Texts, numbers and lists in a map whose keys are texts always have a JSON form.
                replay.record(&serde_json::to_string(record).unwrap_or_default());
            }
            Recorded::given(replay, Vec::new())
        });
        check.report(recorded)
    });
    let report = checked.await.map_err(|error| {
        tracing::error!(%error, "a check of service control policies panicked");
        let (kind, detail) = Kind::of_status(StatusCode::INTERNAL_SERVER_ERROR);
        Problem::new(kind, detail)
    })?;
    if wants_page(&headers) {
        let page = Html(page::page(&report));
        return Ok(([(CONTENT_SECURITY_POLICY, POLICY)], page).into_response());
    }
    Ok(Reply(report).into_response())
}

impl Api {
    /// The policies as they are to stand now, sparing whom `sparing` spares.
    pub(super) fn in_force(
        &self,
        course: &ScpCourse,
        sparing: impl FnMut(&ScpSet) -> ScpSet,
    ) -> InForce {
        let zone = &self.landing_zone;
        let targets = zone.scp_targets();
        let (in_force, _) = course.in_force(&targets, &self.scps.0, zone.scps, sparing);
        in_force
    }

    /// The policies as they are to stand now, exemptions aside, and how people call that.
    async fn named_in_force(&self) -> Result<(InForce, String), StoreError> {
        let course = self.store.scp_course().await?;
        let settled = course.settled.is_none() || course.settled == course.wanted;
        let name = match settled && course.pins.is_empty() {
            true => "the policies of this server",
            false => {
                "the policies as they stand now, which this server's files are still to replace"
            }
        };
        Ok((self.in_force(&course, ScpSet::clone), name.to_owned()))
    }

    /// What AWS finds in policies, as far as it says.
    async fn aws_findings(&self, files: &ScpFiles) -> AwsFindings {
        let Some(LogReader { cloud, .. }) = &self.log_reader else {
            return AwsFindings {
                found: Vec::new(),
                missing: Some("this server has no way to AWS".to_owned()),
            };
        };
        let zone = &self.landing_zone;
        let open = open(cloud, &zone.management_account, &zone.home_region);
        policy_validation::ask(open, files, zone).await
    }

    /// Where each account stands that policies bind, or is to stand.
    async fn placed(&self) -> Result<BTreeMap<AccountId, Option<OuPath>>, StoreError> {
        let filter = AccountFilter {
            has_account_id: Some(true),
            ..AccountFilter::default()
        };
        let mut placed = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = self
                .store
                .accounts(&filter, cursor.as_deref(), ACCOUNTS)
                .await?;
            // Nothing binds the management account.
            let bound = |account: &Account| account.purpose != Purpose::Management;
            for account in page.items.into_iter().filter(bound) {
                if let Some(number) = account.account_id {
                    placed.insert(number, Some(account.request.organizational_unit));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(placed);
            }
        }
    }

    /// The names of policies that are not Landfall's, by target, as the engine saw them last.
    async fn others(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let cells = self.store.cells(TargetId::Organization).await?;
        let cell = cells
            .into_iter()
            .find(|cell| cell.key.control.as_str() == CONTROL);
        Ok(cell
            .and_then(|cell| cell.observed)
            .map(|observed| organizations_policies::others(&observed))
            .unwrap_or_default())
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/html"))
}
