//! The proposal of a waiver: what a person writes, and every rule that it has to keep.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::consent::check_expiry;
use crate::control::Scope;
use crate::ids::{AccountId, ControlId, Email, OuPath, Region};
use crate::landing_zone::LandingZone;
use crate::request::FieldError;
use crate::waiver::Beneficiary;

/// What `POST /api/v1/waivers` takes. Whose deviation it is, is said by one of `account_id`, `organizational_unit` and
/// `organization`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit: Option<String>,
    /// Also the accounts of the OUs below `organizational_unit`.
    #[serde(default)]
    pub and_below: bool,
    /// The organization's own cells.
    #[serde(default)]
    pub organization: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default)]
    pub control: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub owner_email: String,
    /// Every waiver ends: `None` breaks a rule.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A proposal that keeps every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub beneficiary: Beneficiary,
    pub region: Option<Region>,
    pub control: ControlId,
    pub reason: String,
    pub owner_email: Email,
    pub expires_at: Timestamp,
}

impl WaiverForm {
    /// Checks every rule and names each field that breaks one. `scope_of` knows the controls that there are.
    pub fn check(
        self,
        zone: &LandingZone,
        scope_of: impl Fn(&ControlId) -> Option<Scope>,
        now: Timestamp,
    ) -> Result<Proposal, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, rule: String| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                rule,
            });
        };
        let beneficiary = match self.beneficiary(zone) {
            Ok(beneficiary) => Some(beneficiary),
            Err((pointer, rule)) => {
                wrong(pointer, rule);
                None
            }
        };
        let control = self.control.parse::<ControlId>().ok();
        let scope = control.as_ref().and_then(&scope_of);
        let region = self.region.as_deref().map(str::parse::<Region>).transpose();
        match (scope, &beneficiary) {
            (None, _) => wrong(
                "/control",
                format!("there is no control `{}`", self.control),
            ),
            (Some(scope), Some(beneficiary))
                if scope.is_organization() != (*beneficiary == Beneficiary::Organization) =>
            {
                wrong(
                    "/control",
                    if scope.is_organization() {
                        "belongs to the organization: say `organization` instead of an account or an OU"
                    } else {
                        "belongs to accounts: name an account or an OU"
                    }
                    .to_owned(),
                );
            }
            _ => {}
        }
        match &region {
            Err(error) => wrong("/region", error.to_string()),
            Ok(Some(_)) if scope.is_some_and(|scope| !scope.is_regional()) => wrong(
                "/region",
                format!("{} is not regional: leave the Region out", self.control),
            ),
            Ok(Some(region)) if !zone.governed_regions.contains(region) => {
                wrong("/region", format!("{region} is not governed"));
            }
            Ok(_) => {}
        }
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() {
            wrong("/reason", "must be given".to_owned());
        } else if reason.chars().count() > 2_000 {
            wrong("/reason", "must be at most 2000 characters".to_owned());
        }
        let owner_email = self.owner_email.parse::<Email>();
        if let Err(error) = &owner_email {
            wrong("/owner_email", format!("must be {}", error.expected));
        }
        let expiry = match self.expires_at {
            None => Err("must be given: every waiver ends".to_owned()),
            Some(at) => check_expiry(at, now, zone.waivers.longest_days).map(|()| at),
        };
        if let Err(rule) = &expiry {
            wrong("/expires_at", rule.clone());
        }
        match (beneficiary, control, region, owner_email, expiry) {
            (Some(beneficiary), Some(control), Ok(region), Ok(owner_email), Ok(expires_at))
                if errors.is_empty() =>
            {
                Ok(Proposal {
                    beneficiary,
                    region,
                    control,
                    reason,
                    owner_email,
                    expires_at,
                })
            }
            _ => Err(errors),
        }
    }

    fn beneficiary(&self, zone: &LandingZone) -> Result<Beneficiary, (&'static str, String)> {
        match (
            &self.account_id,
            &self.organizational_unit,
            self.organization,
        ) {
            (Some(account), None, false) if !self.and_below => account
                .parse::<AccountId>()
                .map(Beneficiary::Account)
                .map_err(|error| ("/account_id", error.to_string())),
            (None, Some(unit), false) => match unit.parse::<OuPath>() {
                Ok(path) if zone.unit(&path).is_some() => Ok(if self.and_below {
                    Beneficiary::Subtree(path)
                } else {
                    Beneficiary::Unit(path)
                }),
                _ => Err((
                    "/organizational_unit",
                    format!("the landing zone has no organizational unit `{unit}`"),
                )),
            },
            (None, None, true) if !self.and_below => Ok(Beneficiary::Organization),
            (_, None, _) if self.and_below => Err((
                "/and_below",
                "goes with organizational_unit only".to_owned(),
            )),
            (None, None, false) => Err((
                "/account_id",
                "give one of account_id, organizational_unit, organization".to_owned(),
            )),
            _ => Err((
                "/account_id",
                "give only one of account_id, organizational_unit, organization".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn right() -> WaiverForm {
        WaiverForm {
            organizational_unit: Some("Applications".to_owned()),
            and_below: true,
            region: Some("eu-west-1".to_owned()),
            control: "config.recorder".to_owned(),
            reason: "the vendor's appliance records".to_owned(),
            owner_email: "pay@example.com".to_owned(),
            expires_at: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24)),
            ..WaiverForm::default()
        }
    }

    fn check(form: WaiverForm) -> Result<Proposal, Vec<FieldError>> {
        let zone = include_str!("../../../deploy/landing-zone.toml");
        let zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        let scope_of = |id: &ControlId| match id.as_str() {
            "config.recorder" => Some(Scope::Region),
            "organizations.placement" => Some(Scope::Account),
            "organizations.units" => Some(Scope::Organization),
            _ => None,
        };
        form.check(&zone, scope_of, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_right_form_becomes_a_proposal() {
        let proposal = check(right()).unwrap();
        assert_eq!(
            proposal.beneficiary,
            Beneficiary::Subtree("Applications".parse().unwrap())
        );
        let own = check(WaiverForm {
            organizational_unit: None,
            and_below: false,
            organization: true,
            control: "organizations.units".to_owned(),
            region: None,
            ..right()
        });
        assert_eq!(own.unwrap().beneficiary, Beneficiary::Organization);
    }

    #[test]
    fn every_wrong_field_is_named() {
        type Change = fn(&mut WaiverForm);
        let cases: [(&str, &str, Change); 12] = [
            ("/control", "no control", |f| f.control = "x.y".to_owned()),
            ("/control", "belongs to the organization", |f| {
                f.control = "organizations.units".to_owned();
                f.region = None;
            }),
            ("/region", "not regional", |f| {
                f.control = "organizations.placement".to_owned();
            }),
            ("/region", "not governed", |f| {
                f.region = Some("cn-north-1".to_owned());
            }),
            ("/region", "AWS Region", |f| {
                f.region = Some("Frankfurt".to_owned());
            }),
            ("/reason", "must be given", |f| f.reason = " ".to_owned()),
            ("/owner_email", "e-mail", |f| f.owner_email.clear()),
            ("/expires_at", "every waiver ends", |f| f.expires_at = None),
            ("/expires_at", "within 180 days", |f| {
                f.expires_at = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 181));
            }),
            ("/organizational_unit", "no organizational unit", |f| {
                f.organizational_unit = Some("Nowhere".to_owned());
            }),
            ("/account_id", "only one of", |f| {
                f.account_id = Some("222222222222".to_owned());
            }),
            ("/account_id", "give one of", |f| {
                f.organizational_unit = None;
                f.and_below = false;
            }),
        ];
        for (pointer, rule, change) in cases {
            let mut form = right();
            change(&mut form);
            let errors = check(form).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].pointer, pointer);
            assert!(errors[0].rule.contains(rule), "{errors:?}");
        }
    }
}
