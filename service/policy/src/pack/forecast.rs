//! How many policies each root, unit and account will have.

use std::fmt;

use crate::lint::Limits;

/// Something that policies are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The path of a unit, the number of an account, or `root`.
    pub name: String,
    /// How many packed policies are to stand there.
    pub ours: usize,
    /// The names of policies there that are somebody else's: `FullAWSAccess`, Control Tower's. They stay.
    pub foreign: Vec<String>,
}

/// What a target will have. What it inherits does not count towards AWS's limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Whom it is about.
    pub target: Target,
    /// How many policies AWS lets it have.
    pub limit: usize,
}

/// What each target will have.
pub fn forecast(targets: &[Target], limits: Limits) -> Vec<Forecast> {
    let of = |target: &Target| Forecast {
        target: target.clone(),
        limit: limits.attached,
    };
    targets.iter().map(of).collect()
}

impl Forecast {
    /// All policies together.
    pub fn attached(&self) -> usize {
        self.target.ours + self.target.foreign.len()
    }

    /// How many more could be attached. `None` if there are too many already.
    pub fn free(&self) -> Option<usize> {
        self.limit.checked_sub(self.attached())
    }

    /// Whether AWS would take them, and there is one at least, which AWS demands.
    pub fn fits(&self) -> bool {
        self.free().is_some() && self.attached() > 0
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target {
            name,
            ours,
            foreign,
        } = &self.target;
        write!(
            f,
            "{name}: {} of {} attachments, {ours} ours",
            self.attached(),
            self.limit
        )?;
        if !foreign.is_empty() {
            write!(f, " and {} others ({})", foreign.len(), foreign.join(", "))?;
        }
        match self.free() {
            _ if self.attached() == 0 => {
                f.write_str("; AWS wants one at least: leave FullAWSAccess attached")
            }
            Some(free) => write!(f, "; {free} free"),
            None => {
                let over = self.attached() - self.limit;
                write!(
                    f,
                    "; {over} too many: detach others, or pack ours into fewer"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, forecast};
    use crate::lint::Limits;

    #[test]
    fn figures_of_each_target() {
        let target = |ours, foreign: &[&str]| Target {
            name: "Applications".to_owned(),
            ours,
            foreign: foreign.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (target, fits, says) in [
            (
                target(2, &["FullAWSAccess", "aws-guardrails-x"]),
                true,
                "4 of 5 attachments, 2 ours and 2 others (FullAWSAccess, aws-guardrails-x); 1 free",
            ),
            (target(4, &["FullAWSAccess"]), true, "0 free"),
            (target(5, &["FullAWSAccess"]), false, "1 too many"),
            (target(0, &[]), false, "leave FullAWSAccess"),
        ] {
            let found = forecast(&[target], Limits::OLDER);
            assert_eq!(found[0].fits(), fits, "{}", found[0]);
            assert!(found[0].to_string().contains(says), "{}", found[0]);
        }
    }
}
